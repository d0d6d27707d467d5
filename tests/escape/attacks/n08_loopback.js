// N-08 (node): not an attack: a server and its client in one run
// What must work; there is nothing to switch off.
// expect: pong
// twice: same slot
const server = require("http").createServer((request, answer) => answer.end("pong"));
server.listen(8080, "127.0.0.1", async () => {
  console.log(await (await fetch("http://127.0.0.1:8080/")).text());
  server.close();
  server.closeAllConnections();
});
