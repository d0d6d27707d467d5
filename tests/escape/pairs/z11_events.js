// Z-11 (node): the second writes to every descriptor that it has; the first, forked from the same
// zygote, looks whether anything of that arrives in its own eventfds, without running its loop
// expect: written
// first: 0
// without: fd-scrub -> first: [1-9]*
const fs = require("fs");
const kinds = () => fs.readdirSync("/proc/self/fd").map((fd) => {
  try { return [fd, fs.readlinkSync("/proc/self/fd/" + fd)]; } catch { return [fd, ""]; }
});
if (fs.readFileSync("role", "utf8") === "first") {
  fs.writeSync(1, "ready\n");
  const none = Buffer.alloc(1);
  while (fs.readSync(0, none) > 0);
  const counts = kinds().filter(([, kind]) => kind.includes("eventfd")).map(([fd]) =>
    /eventfd-count: *([0-9a-f]+)/.exec(fs.readFileSync("/proc/self/fdinfo/" + fd, "utf8"))[1]);
  fs.writeSync(1, counts.filter((count) => count !== "0").length + "\n");
} else {
  for (const [fd, kind] of kinds())
    if (kind.includes("eventfd"))
      try { fs.writeSync(Number(fd), Buffer.from([7, 0, 0, 0, 0, 0, 0, 0])); } catch {}
  fs.writeSync(1, "written\n");
}
process.reallyExit(0);
