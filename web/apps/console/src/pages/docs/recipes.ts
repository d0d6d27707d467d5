/** The examples of the quick start. They run as they stand: a test plays the requests in them. */

import { pythonValue } from '@/lib/python'
import { shellQuote } from '@/lib/shell'

export interface Recipe {
  title: string
  text: string
  curl: string
  typescript: string
  python: string
}

interface Task {
  title: string
  text: string
  body: Record<string, unknown>
}

export const TASKS: Task[] = [
  {
    title: 'Run code',
    text: 'The answer holds stdout, stderr, the exit code, the outcome, and what was used.',
    body: { lang: 'python', code: 'print(sum(range(10)))' },
  },
  {
    title: 'Set limits',
    text: 'Time, memory, processes and disk are enforced by the kernel. A run that meets one says so in its outcome.',
    body: { lang: 'node', code: 'while (true) {}', policy: { timeoutMs: 500, memoryMB: 128, maxProcesses: 32 } },
  },
  {
    title: 'Several files',
    text: 'Files are relative to the working folder. The entry point is the one that is run.',
    body: {
      lang: 'python',
      files: [
        { path: 'main.py', content: 'from greet import hello\nprint(hello("Ada"))' },
        { path: 'greet.py', content: 'def hello(name):\n    return f"Hello, {name}"' },
      ],
      entrypoint: 'main.py',
    },
  },
  {
    title: 'Input and arguments',
    text: 'Standard input, arguments and environment are yours to set; nothing of the server leaks in.',
    body: {
      lang: 'python',
      code: 'import sys, os\nprint(sys.stdin.read().upper(), sys.argv[1:], os.environ["GREETING"])',
      stdin: 'hello',
      args: ['--fast'],
      env: { GREETING: 'hi' },
    },
  },
]

const OUTCOMES = {
  ok: 'It ended with exit code 0.',
  error: 'It ended with another exit code.',
  signal: 'It was ended by a signal, such as a crash.',
  timeout: 'It was over its time.',
  memory_limit: 'It was over its memory.',
  process_limit: 'It failed because it could start no further process.',
  install_failed: 'Its packages could not be installed. Not billed.',
  cancelled: 'It was ended on request.',
  sandbox_error: 'Our fault. Never billed.',
}

export function recipes(own: { endpoint: string; key: string }) {
  const url = `${own.endpoint}/api/run`
  return {
    key: `export DOCLE_API_KEY=${own.key}`,
    outcomes: OUTCOMES,
    recipes: TASKS.map(
      ({ title, text, body }): Recipe => ({
        title,
        text,
        curl: `curl ${url} \\\n  -H "Authorization: Bearer $DOCLE_API_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d ${shellQuote(JSON.stringify(body, null, 2))}`,
        typescript: `const response = await fetch('${url}', {\n  method: 'POST',\n  headers: {\n    Authorization: \`Bearer \${process.env.DOCLE_API_KEY}\`,\n    'Content-Type': 'application/json',\n  },\n  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}),\n})\nconst run = await response.json()\nconsole.log(run.outcome, run.stdout)`,
        python: `import os\nimport requests\n\nrun = requests.post(\n    "${url}",\n    headers={"Authorization": f"Bearer {os.environ['DOCLE_API_KEY']}"},\n    json=${pythonValue(body, '    ')},\n).json()\nprint(run["outcome"], run["stdout"])`,
      }),
    ),
  }
}
