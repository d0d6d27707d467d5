'use strict';

const assert = require('assert');
const http = require('http');

const server = http.createServer((request, answer) => {
  let body = '';
  request.on('data', (data) => { body += data; });
  request.on('end', () => answer.setHeader('x', 'y').end(JSON.stringify({ method: request.method, body })));
}).listen(0, '127.0.0.1', async () => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { method: 'POST', body: 'sent' });
  assert.strictEqual(answer.headers.get('x'), 'y');
  assert.deepStrictEqual(await answer.json(), { method: 'POST', body: 'sent' });
  await assert.rejects(fetch('http://192.0.2.1/'), TypeError);
  const form = new FormData();
  form.set('a', new Blob(['b']));
  assert.ok((await new Response(form).text()).includes('form-data'));
  server.close();
  server.closeAllConnections();
});

process.on('exit', (code) => code === 0 && console.log('ok'));
