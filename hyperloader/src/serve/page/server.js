// Asking the server.
"use strict";
const byId = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

// The page may be below a path, with or without a "/" at its end.
const address = (route) => new URL(location.origin + location.pathname.replace(/\/?$/, "/") + route).href;

let bearer = "";

class Refusal extends Error {
  constructor(response, body) {
    const isOurs = typeof body?.error === "string";
    super(isOurs ? body.error : "This is no answer of a HyperLoader server.");
    this.status = response.status;
    this.code = ["HTTP " + response.status, isOurs ? body.error_type : response.statusText].filter(Boolean).join(" · ");
    this.seconds = Number(response.headers.get("Retry-After")) || 0;
  }
}

const ask = async (route, body, signal) => {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = "Bearer " + bearer;
  const response = await fetch(address(route), { method: body === undefined ? "GET" : "POST", headers, body, signal, cache: "no-store" });
  const raw = await response.text();
  let json;
  try { json = JSON.parse(raw); } catch { /* Refusal says so. */ }
  if (!response.ok || json === undefined) throw new Refusal(response, json);
  return { raw, json };
};

// The same request for a shell. The token is not shown.
const quoted = (word) => "'" + word.replaceAll("'", "'\\''") + "'";
const curl = (body) =>
  "curl " + (bearer ? '-H "Authorization: Bearer $TOKEN" ' : "") + "--json " + quoted(body) + " " + quoted(address("v1/label"));
