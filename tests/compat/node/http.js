'use strict';

const assert = require('assert');
const http = require('http');

const agent = new http.Agent({ keepAlive: true });
const server = http.createServer((request, answer) => {
  answer.writeHead(201, { 'Content-Type': 'text/plain' });
  answer.write('part ');
  setTimeout(() => answer.end(request.url), 2);
}).listen(0, () => {
  let left = 3;
  for (let i = 0; i < 3; i++) {
    http.get({ port: server.address().port, path: `/${i}`, agent }, (answer) => {
      let body = '';
      answer.on('data', (data) => { body += data; }).on('end', () => {
        assert.deepStrictEqual([answer.statusCode, body], [201, `part /${i}`]);
        if (--left === 0) {
          agent.destroy();
          server.close();
        }
      });
    });
  }
});

process.on('exit', (code) => code === 0 && console.log('ok'));
