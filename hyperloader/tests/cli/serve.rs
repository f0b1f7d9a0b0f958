//! The server: every route, every refusal, and the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Bench, trained};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// No test waits longer than this for a server.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server on a free port. It is killed when this is dropped.
struct Server {
    child: Child,
    address: String,
}

/// What a server answered.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The text of an error, which has the shape of all errors.
    fn error(&self) -> String {
        let error = self.json();
        assert!(error["error_type"].is_string() && error.as_object().unwrap().len() == 2, "{error}");
        error["error"].as_str().unwrap().to_owned()
    }
}

impl Server {
    /// Starts a server of `models` and waits until it is ready.
    fn start(bench: &Bench, arguments: &[&str]) -> Self {
        let call = [&["serve", "--addr", "127.0.0.1:0", "--threads", "2"], arguments].concat();
        let mut child = bench.command(&call).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        let address = told["address"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        let server = Self { child, address };
        let started = Instant::now();
        while server.get("/ready").status != 200 {
            assert!(started.elapsed() < PATIENCE, "the server does not become ready");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn send(&self, head: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "{head}\r\nHost: localhost\r\nConnection: close\r\n").unwrap();
        write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        answer(stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1"), "")
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        self.send(&format!("POST {path} HTTP/1.1\r\nContent-Type: application/json"), body)
    }

    fn label(&self, body: &Value) -> Answer {
        self.post("/v1/label", &body.to_string())
    }

    /// Waits until the metrics have this line.
    fn wait_for(&self, line: &str) {
        let started = Instant::now();
        while !self.get("/metrics").body.lines().any(|own| own == line) {
            assert!(started.elapsed() < PATIENCE, "{line} does not come");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The lines of `predict` for `text`.
fn predicted(bench: &Bench, task: &str, text: &str, arguments: &[&str]) -> Vec<String> {
    let file = format!("{task}.txt");
    std::fs::write(bench.path(&file), text).unwrap();
    let call = [&["predict", "run", "--task", task, &file], arguments].concat();
    bench.ok(&call).lines().map(str::to_owned).collect()
}

/// A text of so many words, which takes a while.
fn long(words: usize) -> String {
    vec!["lights"; words].join(" ")
}

#[test]
fn answers_are_the_bytes_of_predict_while_two_tasks_are_labelled_at_once() {
    let bench = trained();
    let server = Server::start(&bench, &["run"]);
    let texts = ["turn on the lights", "stop", "play  some jazz", "", "xyzzy \u{2603} !", &long(150)];
    let tasks: Vec<String> = {
        let tasks = server.get("/v1/tasks").json();
        tasks["tasks"].as_array().unwrap().iter().map(|task| task["task"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tasks.len(), 2);
    let whole = |task: &str, lines: &[String]| {
        format!("{{\"task\":\"{task}\",\"model\":\"run\",\"results\":[{}]}}", lines.join(","))
    };
    let options: [(&[&str], Value); 3] = [
        (&[], json!({})),
        (&["--n-best", "3"], json!({"n_best": 3})),
        (&["--threshold", "0.5", "--split-sentences"], json!({"threshold": 0.5, "split_sentences": true})),
    ];
    for (arguments, fields) in options {
        let arguments = [&["--format", "jsonl"], arguments].concat();
        let expected: Vec<Vec<String>> =
            tasks.iter().map(|task| predicted(&bench, task, &(texts.join("\n") + "\n"), &arguments)).collect();
        thread::scope(|scope| {
            for (task, lines) in tasks.iter().zip(&expected) {
                let (server, fields, texts) = (&server, &fields, &texts);
                let ask = move |text: Value| {
                    let mut body = json!({"task": task, "text": text});
                    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
                    server.label(&body).body
                };
                scope.spawn(move || assert_eq!(ask(json!(texts)), whole(task, lines)));
                for (text, line) in texts.iter().zip(lines) {
                    scope.spawn(move || assert_eq!(ask(json!(text)), whole(task, std::slice::from_ref(line))));
                }
            }
        });
    }
    let words = predicted(&bench, "home", "turn on the lights\n", &["--format", "jsonl", "--input-format", "words"]);
    let asked = json!({"task": "home", "words": ["turn", "on", "the", "lights"]});
    assert_eq!(server.label(&asked).body, whole("home", &words));
    let asked = json!({"task": "home", "words": [["turn", "on", "the", "lights"], []]});
    assert_eq!(server.label(&asked).json()["results"].as_array().unwrap().len(), 2);
    assert_eq!(server.label(&json!({"task": "home", "text": []})).body, whole("home", &[]));
}

#[test]
fn hugging_face_clients_get_the_shapes_of_its_pipeline() {
    let bench = trained();
    let server = Server::start(&bench, &["run", "--default-task", "home"]);
    let text = "turn on the lights in the kitchen";
    let line = predicted(&bench, "home", &format!("{text}\n"), &["--format", "hf"]).remove(0);
    let ask = |path: &str, body: Value| server.post(path, &body.to_string());
    assert_eq!(ask("/", json!({"inputs": text})).body, line);
    assert_eq!(ask("/?task=home", json!({"inputs": [text, text], "options": {}})).body, format!("[{line},{line}]"));
    let parameters = json!({"aggregation_strategy": "first", "ignore_labels": ["O"], "task": "home"});
    assert_eq!(ask("/", json!({"inputs": text, "parameters": parameters})).body, line);

    let labelled = server.label(&json!({"task": "home", "text": text})).json()["results"][0].clone();
    let every = json!({"aggregation_strategy": "none", "ignore_labels": []});
    let words = ask("/", json!({"inputs": text, "parameters": every})).json();
    assert_eq!(words.as_array().unwrap().len(), 7);
    for (i, word) in words.as_array().unwrap().iter().enumerate() {
        let expected = json!({
            "entity": labelled["tags"][i], "score": labelled["confidences"][i], "index": i + 1, "word": labelled["tokens"][i],
            "start": labelled["offsets"][i][0], "end": labelled["offsets"][i][1],
        });
        assert_eq!(word, &expected);
    }
    // Groups of everything cover the words: what is in no span has the label O.
    let groups = ask("/", json!({"inputs": text, "parameters": {"ignore_labels": []}})).json();
    let covered: usize =
        groups.as_array().unwrap().iter().map(|group| group["word"].as_str().unwrap().split(' ').count()).sum();
    assert_eq!(covered, 7, "{groups}");
}

#[test]
fn every_error_names_what_is_wrong() {
    let bench = trained();
    let server = Server::start(&bench, &["run", "--max-texts", "3", "--max-words", "20", "--max-body", "1000"]);
    let cases: &[(u16, &str, &str)] = &[
        (400, "{", "no JSON"),
        (400, "{\"text\": \"a\"} x", "no JSON"),
        (413, &format!("{{\"text\": \"{}\"}}", long(500)), "1000 bytes"),
        (413, &json!({"task": "home", "text": vec!["a"; 4]}).to_string(), "text: 4 texts"),
        (413, &json!({"task": "home", "text": long(21)}).to_string(), "text: 21 words"),
        (422, "{\"task\": \"home\", \"text\": [\"a\", 3]}", "text[1]: invalid type: integer `3`, expected a string"),
        (422, "{\"task\": \"home\", \"text\": \"a\", \"txt\": 1}", "txt: unknown field `txt`"),
        (422, "{\"task\": \"home\"}", "text: missing"),
        (422, "{\"task\": \"home\", \"text\": \"a\", \"words\": [\"a\"]}", "words: given next to text"),
        (422, "{\"text\": \"a\"}", "task: missing; known: home, travel"),
        (422, "{\"task\": \"hone\", \"text\": \"a\"}", "task: unknown task \"hone\"; known: home, travel"),
        (422, "{\"task\": \"home\", \"model\": \"x\", \"text\": \"a\"}", "model: unknown model \"x\"; known: run"),
        (422, "{\"task\": \"home\", \"text\": \"a\", \"threshold\": 2}", "threshold: 2"),
        (
            422,
            "{\"task\": \"home\", \"text\": \"a\", \"n_best\": 0}",
            "n_best: invalid value: integer `0`, expected a whole number of",
        ),
        (422, "{\"task\": \"home\", \"text\": \"a\", \"n_best\": 9}", "n_best: 9 is more"),
        (422, "{\"task\": \"home\", \"words\": [[\"a\"], [\"b\", \" \"]]}", "words[1][1]: a blank word"),
        (422, "[]", "invalid type"),
    ];
    for &(status, body, message) in cases {
        let answer = server.post("/v1/label", body);
        let error = answer.error();
        assert!(answer.status == status && error.contains(message), "{body}: {} {error}", answer.status);
    }
    // The rest of a body that is too long is not read, so the client is told that the connection ends.
    let mut kept = server.connect();
    write!(kept, "POST /v1/label HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n").unwrap();
    write!(kept, "Content-Length: 2000\r\n\r\n{}", " ".repeat(2000)).unwrap();
    let refused = answer(kept);
    assert!(refused.status == 413 && refused.head.contains("connection: close"), "{}", refused.head);
    let errors = [
        (422, server.post("/", "{\"inputs\": 3}")),
        (422, server.post("/", "{\"inputs\": \"a\", \"parameters\": []}")),
        (422, server.post("/?tsk=home", "{\"inputs\": \"a\"}")),
        (422, server.post("/?task=hone", "{\"inputs\": \"a\", \"parameters\": {\"task\": \"home\"}}")),
        (415, server.send("POST /v1/label HTTP/1.1", "{}")),
        (415, server.send("POST /v1/label HTTP/1.1\r\nContent-Type: text/plain", "{}")),
        (404, server.get("/nowhere")),
        (404, server.post("/v1/models", "{\"path\": \"run\"}")),
        (405, server.get("/v1/label")),
        (405, server.send("DELETE / HTTP/1.1", "")),
    ];
    for (status, answer) in errors {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(!answer.error().is_empty() && answer.head.contains("content-type: application/json"));
    }
}

#[test]
fn a_server_says_what_it_is_and_how_it_is() {
    let bench = trained();
    let server = Server::start(&bench, &["run", "other=run", "--max-tasks", "1", "--workers", "2"]);
    assert_eq!(server.get("/health").json(), json!({"status": "ok"}));
    let tasks = server.get("/v1/tasks").json();
    assert_eq!(tasks["models"].as_array().unwrap().len(), 2);
    assert_eq!(tasks["models"][0]["model"], "other");
    assert!(tasks["models"][0]["parameters"].as_u64().unwrap() > 1000);
    let kept: Value = serde_json::from_slice(&std::fs::read(bench.path("run/tags.json")).unwrap()).unwrap();
    let home: Vec<&Value> = kept["home"].as_array().unwrap().iter().filter(|tag| *tag != "O" && *tag != "I").collect();
    let info = |tasks: &Value, model: &str, task: &str| {
        tasks["tasks"].as_array().unwrap().iter().find(|t| t["model"] == model && t["task"] == task).unwrap().clone()
    };
    assert_eq!(info(&tasks, "run", "home")["tags"], json!(home));
    assert_eq!(info(&tasks, "run", "home")["loaded"], false, "tasks are loaded when they are asked for");

    let ambiguous = server.label(&json!({"task": "home", "text": "stop"}));
    assert!(ambiguous.error().contains("model: missing; these have the task \"home\": other, run"));
    let twice = json!({"task": "home", "model": "run", "text": ["stop", "turn on"]});
    assert_eq!(server.label(&twice).status, 200);
    assert_eq!(server.label(&json!({"task": "travel", "model": "run", "text": "play"})).status, 200);
    // The count follows the answer.
    server.wait_for("hyperloader_loaded_tasks{model=\"run\"} 1");
    let tasks = server.get("/v1/tasks").json();
    let loaded = [info(&tasks, "run", "home"), info(&tasks, "run", "travel")].map(|task| task["loaded"] == true);
    assert_eq!(loaded, [false, true], "the least recently used task makes room");

    let metrics = server.get("/metrics");
    assert!(metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", metrics.head);
    for line in [
        "hyperloader_requests_total{route=\"/v1/label\",status=\"200\"} 2",
        "hyperloader_requests_total{route=\"/v1/label\",status=\"422\"} 1",
        "hyperloader_texts_total{model=\"run\"} 3",
        "hyperloader_words_total{model=\"run\"} 4",
        // Two workers share the two texts of a request.
        "hyperloader_batch_texts_bucket{le=\"1.0\",model=\"run\"} 3",
        "hyperloader_queue_requests{model=\"other\"} 0",
        "hyperloader_requests_in_flight 0",
    ] {
        assert!(metrics.body.lines().any(|own| own == line), "{line}\n{}", metrics.body);
    }
    let seen = |server: &Server| server.send("GET /health HTTP/1.1\r\nOrigin: https://example.org", "").head;
    assert!(!seen(&server).contains("access-control"), "pages of other origins read nothing");
    let open = Server::start(&bench, &["run", "--cors-origin", "https://example.org"]);
    assert!(seen(&open).contains("access-control-allow-origin: https://example.org\r\n"));
    let described = server.get("/openapi.json").json();
    let routes: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(routes, ["/", "/health", "/metrics", "/openapi.json", "/ready", "/v1/label", "/v1/tasks"]);
    let request = &described["components"]["schemas"]["LabelRequest"];
    assert_eq!(request["properties"]["task"]["enum"], json!(["home", "travel"]), "no task is a default");
    assert_eq!(request["properties"]["model"]["enum"], json!(["other", "run", null]));
    assert_eq!((&request["required"], &request["properties"]["n_best"]["maximum"]), (&json!(["task"]), &json!(8)));
    let example = &described["paths"]["/v1/label"]["post"]["requestBody"]["content"]["application/json"]["example"];
    let example = json!({"model": "run", "task": example["task"], "text": example["text"]});
    assert_eq!(server.label(&example).status, 200, "{example}");
    assert_eq!(described["components"]["securitySchemes"], Value::Null);
}

#[test]
fn the_page_runs_only_its_own_script_and_names_no_other_host() {
    let bench = trained();
    std::fs::write(bench.path("token"), "client\n").unwrap();
    let page = Server::start(&bench, &["run", "--token-file", "token"]).get("/");
    assert_eq!(page.status, 200, "the page holds no data, so that everybody may have it");
    for line in [
        "content-type: text/html; charset=utf-8",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-cache",
    ] {
        assert!(page.head.lines().any(|own| own == line), "{line}\n{}", page.head);
    }
    let policy = page.head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
    let between = |start: &str, end: &str| {
        let parts: Vec<&str> = page.body.split(start).collect();
        assert_eq!(parts.len(), 2, "{start}");
        parts[1].split_once(end).unwrap().0
    };
    let hash = |text: &str| {
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Sha256::digest(text));
        // The head of an answer is compared in lower case.
        format!("'sha256-{}'", hash.to_ascii_lowercase())
    };
    let (script, style) = (between("<script type=\"module\">", "</script>"), between("<style>", "</style>"));
    let rules: Vec<&str> = policy.split("; ").collect();
    assert_eq!(
        rules,
        [
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",
            &format!("script-src {}", hash(script)),
            &format!("style-src {}", hash(style)),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    );
    assert!(page.body.starts_with("<!doctype html>") && page.body.ends_with("</script>\n</body>\n</html>\n"));
    let named = page.body.replace("xmlns='http://www.w3.org/2000/svg'", "");
    assert!(!named.contains("://"), "no other host is named");
    let links: Vec<&str> = named.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() == 2 && links[0].starts_with("data:image/svg+xml,") && links[1] == "openapi.json", "{links:?}");
    assert!(!named.contains(" src=") && !named.contains(" style=") && !style.contains("url("));
}

#[test]
fn a_token_lets_clients_in_and_an_admin_loads_and_unloads() {
    let bench = trained();
    std::fs::write(bench.path("token"), "client\n").unwrap();
    std::fs::write(bench.path("admin"), "admin\n").unwrap();
    let server = Server::start(&bench, &["run", "--token-file", "token", "--admin-token-file", "admin"]);
    let with = |head: &str, token: &str, body: &Value| {
        let head = format!("{head} HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}");
        server.send(&head, &body.to_string())
    };
    let asked = json!({"task": "home", "model": "run", "text": "stop"});
    for answer in [server.label(&asked), with("POST /v1/label", "clienT", &asked), with("POST /v1/label", "", &asked)] {
        assert_eq!(answer.status, 401);
        assert!(answer.head.contains("www-authenticate: bearer") && answer.error().contains("token"));
    }
    assert_eq!([server.get("/metrics").status, server.get("/v1/tasks").status], [401, 401]);
    assert_eq!([server.get("/health").status, server.get("/ready").status, server.get("/").status], [200, 200, 200]);
    let first = with("POST /v1/label", "client", &asked);
    assert_eq!(first.status, 200);
    let described = with("GET /openapi.json", "client", &json!({})).json();
    let wanted = |path: &str, method: &str| described["paths"][path][method]["security"].clone();
    assert_eq!(wanted("/v1/label", "post"), json!([{"client": []}]));
    assert_eq!(wanted("/v1/models/{name}", "delete"), json!([{"admin": []}]));
    assert_eq!([wanted("/", "get"), wanted("/health", "get")], [Value::Null, Value::Null]);
    assert_eq!(described["components"]["securitySchemes"]["client"], json!({"type": "http", "scheme": "bearer"}));

    let more = json!({"path": bench.path("run"), "name": "more"});
    assert_eq!(with("POST /v1/models", "client", &more).status, 401, "a client is no admin");
    let loaded = with("POST /v1/models", "admin", &more);
    assert_eq!((loaded.status, loaded.json()["model"].as_str()), (201, Some("more")));
    assert_eq!(with("POST /v1/models", "admin", &more).status, 409);
    let missing = with("POST /v1/models", "admin", &json!({"path": bench.path("nothing"), "name": "x"}));
    assert_eq!(missing.status, 422);
    assert!(!missing.body.contains("nothing"), "no path is in an answer: {}", missing.body);
    let again = json!({"task": "home", "model": "more", "text": "stop"});
    let second = with("POST /v1/label", "client", &again);
    assert_eq!(second.body, first.body.replace("\"model\":\"run\"", "\"model\":\"more\""));
    assert_eq!(with("DELETE /v1/models/more", "admin", &json!({})).status, 204);
    assert_eq!(with("DELETE /v1/models/more", "admin", &json!({})).status, 404);
    assert_eq!(with("POST /v1/label", "client", &again).status, 422);
}

#[test]
fn a_full_queue_is_answered_with_429_and_everything_else_is_answered() {
    let bench = trained();
    let server = Server::start(&bench, &["run", "--max-queue", "1", "--workers", "1"]);
    let asked = json!({"task": "home", "text": long(3000)});
    let answers: Vec<Answer> = thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| server.label(&asked))).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty() && !refused.is_empty(), "{} of 8", done.len());
    assert!(done.iter().all(|answer| answer.body == done[0].body));
    for answer in refused {
        assert!(answer.status == 429 && answer.head.contains("retry-after: 1"), "{}", answer.head);
    }
    assert_eq!(server.label(&json!({"task": "home", "text": "stop"})).status, 200);
}

#[test]
fn clients_that_leave_or_stall_hold_nothing_up() {
    let bench = trained();
    let server = Server::start(&bench, &["run", "--client-time", "1", "--max-connections", "4"]);
    let head = "POST /v1/label HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n";
    for part in ["", "POST /v1/la", head, &format!("{head}\r\n"), &format!("{head}\r\n{{\"text\": \"")] {
        let mut stream = server.connect();
        stream.write_all(part.as_bytes()).unwrap();
    }
    // A client that asked and left.
    let body = json!({"task": "home", "text": long(400)}).to_string();
    let mut stream = server.connect();
    write!(stream, "POST /v1/label HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n").unwrap();
    write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    drop(stream);
    // Clients that stay and send nothing more: all places are taken until they are sent away.
    let stalled: Vec<TcpStream> = ["", "POST /v1/la", head, &format!("{head}\r\n{{")]
        .map(|part| {
            let mut stream = server.connect();
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .into();
    assert_eq!(server.label(&json!({"task": "home", "text": "stop"})).status, 200);
    let mut told = Vec::new();
    for mut stream in stalled {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        told.push(text.split(' ').nth(1).map(str::to_owned));
    }
    assert_eq!(told.pop().flatten().as_deref(), Some("408"), "the body did not come");
    assert!(told.iter().all(|status| status.as_deref().is_none_or(|status| status == "408")), "{told:?}");
}

#[test]
fn a_connection_may_be_silent_between_requests_for_longer_than_within_one() {
    let bench = trained();
    let server = Server::start(&bench, &["run", "--client-time", "1", "--idle-time", "3"]);
    let mut kept = server.connect();
    let mut ask = |request: &str| {
        kept.write_all(request.as_bytes()).unwrap();
        let mut part = [0; 4096];
        let read = kept.read(&mut part).unwrap();
        String::from_utf8_lossy(&part[..read]).into_owned()
    };
    let whole = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    assert!(ask(whole).starts_with("HTTP/1.1 200"));
    thread::sleep(Duration::from_millis(1500));
    assert!(ask(whole).starts_with("HTTP/1.1 200"), "more than --client-time, less than --idle-time");
    assert_eq!(ask("GET /hea"), "", "a head that has begun must be complete within --client-time");

    let mut silent = server.connect();
    let started = Instant::now();
    silent.write_all(whole.as_bytes()).unwrap();
    silent.read_to_end(&mut Vec::new()).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(3), "it ends after --idle-time");
}

#[cfg(unix)]
#[test]
fn a_signal_lets_accepted_requests_finish_and_refuses_the_others() {
    let bench = trained();
    let mut server = Server::start(&bench, &["run"]);
    let asked = json!({"task": "home", "text": long(6000)});
    let (accepted, late, ready) = thread::scope(|scope| {
        let accepted = scope.spawn(|| server.label(&asked));
        server.wait_for("hyperloader_requests_in_flight 1");
        let pid = server.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let started = Instant::now();
        let ready = loop {
            let ready = server.get("/ready");
            if ready.status != 200 {
                break ready;
            }
            assert!(started.elapsed() < PATIENCE, "the signal does nothing");
        };
        let late = server.label(&json!({"task": "home", "text": "stop"}));
        (accepted.join().unwrap(), late, ready)
    });
    assert_eq!(accepted.json()["results"][0]["tags"].as_array().unwrap().len(), 6000);
    assert_eq!((late.status, ready.status), (503, 503));
    assert!(late.error().contains("shutting down") && late.head.contains("retry-after"));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_wrong_call_is_refused_before_anything_is_served() {
    let bench = trained();
    let serve = |arguments: &[&str]| bench.fails(2, &[&["serve", "--addr", "127.0.0.1:0"], arguments].concat());
    assert!(serve(&["run", "./run"]).contains("two models are named \"run\"; give one of them another name: NAME="));
    assert!(
        serve(&["run", "--default-task", "hone"]).contains("--default-task hone: no model has this task; known: home")
    );
    assert!(serve(&["nowhere"]).contains("nowhere"));
    assert!(serve(&["run", "--token-file", "config.toml"]).contains("--token-file: "));
    assert!(serve(&["run", "--cors-origin", "example.org"]).contains("--cors-origin example.org: expected an origin"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(bench.fails(2, &["serve", "run", "--addr", &address]).contains(&format!("--addr {address}: ")));
}
