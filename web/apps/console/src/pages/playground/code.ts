/** The run as code that does the same from elsewhere. */
import { pythonValue } from '@/lib/python'
import { shellQuote } from '@/lib/shell'
import { requestOf, type RunRequest, type Sandbox } from './model'

export type Client = 'curl' | 'typescript' | 'python'

/** Without what only this page wants: all artifacts. Values of the environment become placeholders. */
export function bodyOf(sandbox: Sandbox): RunRequest {
  const body = requestOf(sandbox)
  delete body.artifacts
  const [only] = sandbox.files
  if (sandbox.files.length === 1 && only?.encoding === 'utf8' && ['main.py', 'main.js'].includes(only.path)) {
    delete body.files
    delete body.entrypoint
    body.code = only.content
  }
  if (body.env) body.env = Object.fromEntries(Object.keys(body.env).map((name) => [name, '…']))
  return body
}

export function codeFor(client: Client, sandbox: Sandbox, origin: string, keyPrefix: string | null): string {
  const body = bodyOf(sandbox)
  const json = JSON.stringify(body, null, 2)
  const hint = keyPrefix ? `the key that begins with ${keyPrefix}` : 'a key of your project'
  if (client === 'curl') {
    return `# DOCLE_API_KEY: ${hint}
curl ${origin}/api/run \\
  -H "Authorization: Bearer $DOCLE_API_KEY" \\
  -H "Content-Type: application/json" \\
  --data-binary ${shellQuote(json)}
`
  }
  if (client === 'typescript') {
    return `// DOCLE_API_KEY: ${hint}
const response = await fetch('${origin}/api/run', {
  method: 'POST',
  headers: {
    Authorization: \`Bearer \${process.env.DOCLE_API_KEY}\`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify(${json.replace(/\n/g, '\n  ')}),
})
const result = await response.json()
if (!response.ok) throw new Error(result.message)
console.log(result.outcome, result.stdout)
`
  }
  return `# DOCLE_API_KEY: ${hint}
import os

import requests

response = requests.post(
    "${origin}/api/run",
    headers={"Authorization": f"Bearer {os.environ['DOCLE_API_KEY']}"},
    json=${pythonValue(body, '    ')},
    timeout=120,
)
result = response.json()
response.raise_for_status()
print(result["outcome"], result["stdout"])
`
}
