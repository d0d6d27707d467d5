// F-24 (node): files of the run before
// expect: [] [] ["main.js"]
// without: mounts -> exited 0: [[]"mark"] [[]"mark"] *
// twice: same slot
const fs = require("fs");
const places = ["/dev/shm", "/tmp", "/workspace"];
console.log(places.map((place) => JSON.stringify(fs.readdirSync(place))).join(" "));
for (const place of places) {
  try { fs.writeFileSync(`${place}/mark`, "", { flag: "wx" }); } catch {}
}
