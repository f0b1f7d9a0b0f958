// JSON as it was sent, with line breaks; numbers keep their digits. What fits into a line stays in one.
const inLines = (raw, width) => {
  const parts = raw.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let at = 0;
  const read = () => {
    const open = parts[at++];
    if (open !== "{" && open !== "[") return { flat: open, items: [] };
    const items = [];
    while (parts[at] !== "}" && parts[at] !== "]") {
      if (parts[at] === ",") at += 1;
      const key = open === "{" ? parts[at] + ": " : "";
      if (key) at += 2;
      items.push([key, read()]);
    }
    const close = parts[at++];
    return { open, items, close, flat: open + items.map(([key, item]) => key + item.flat).join(", ") + close };
  };
  const filled = (lines) => lines.reduce((all, line) => {
    const last = all.at(-1);
    if (last !== undefined && last.length + line.trimStart().length < width) all[all.length - 1] = last + " " + line.trimStart();
    else all.push(line);
    return all;
  }, []);
  const write = ({ open, items, close, flat }, indent, key) => {
    if (!items.length || indent.length + key.length + flat.length <= width) return [indent + key + flat];
    const inner = items.flatMap(([key, item], index) => {
      const lines = write(item, indent + "  ", key);
      if (index + 1 < items.length) lines.push(lines.pop() + ",");
      return lines;
    });
    const isFlat = open === "[" && items.every(([, item]) => item.open !== "{");
    return [indent + key + open, ...(isFlat ? filled(inner) : inner), indent + close];
  };
  return write(read(), "", "").join("\n");
};
