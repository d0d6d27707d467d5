'use strict';

const assert = require('assert');
const http2 = require('http2');

const server = http2.createServer().on('stream', (stream, headers) => {
  stream.respond({ ':status': 200 });
  stream.end(`path ${headers[':path']}`);
}).listen(0, () => {
  const client = http2.connect(`http://localhost:${server.address().port}`);
  const request = client.request({ ':path': '/x' });
  let body = '';
  request.on('data', (data) => { body += data; }).on('end', () => {
    assert.strictEqual(body, 'path /x');
    client.close();
    server.close();
  });
});

process.on('exit', (code) => code === 0 && console.log('ok'));
