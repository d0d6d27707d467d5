/** Programs to begin with. Each shows one thing that the sandbox does. */
import { emptyPolicy, makeSandbox, type Sandbox, type SourceFile } from './model'

export interface Example {
  id: string
  title: string
  /** What one learns by it. */
  text: string
  /** Needs the network or packages, which not every server gives. */
  needs?: 'packages' | 'network'
  sandbox: () => Sandbox
}

const file = (path: string, content: string): SourceFile => ({ path, content, encoding: 'utf8' })

const HELLO = `import platform
import sys

print("Hello from a sealed sandbox")
print(f"Python {platform.python_version()}, process {__import__('os').getpid()}")
print("\\x1b[32mColours work\\x1b[0m, and so does \\x1b[1mbold\\x1b[0m")
print("This line goes to standard error", file=sys.stderr)
`

const WORDS = `import sys
from collections import Counter

text = sys.stdin.read()
most = int(sys.argv[1]) if len(sys.argv) > 1 else 5
words = Counter(word.strip(".,;:!?").lower() for word in text.split())

for word, count in words.most_common(most):
    print(f"{word:12} {'█' * count} {count}")
`

const PLOT = `import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

x = [n / 50 for n in range(600)]
fig, ax = plt.subplots(figsize=(7, 4), dpi=120)
for damping in (0.1, 0.25, 0.5):
    ax.plot(x, [math.exp(-damping * t) * math.cos(2 * t) for t in x], label=f"damping {damping}")
ax.set_xlabel("time")
ax.legend()
fig.savefig("oscillation.png")
print("See “Files left”: oscillation.png")
`

const SALES = `region,quarter,revenue
North,Q1,1200
North,Q2,1750
South,Q1,900
South,Q2,640
West,Q1,2100
West,Q2,2380
`

const CSV = `import csv
import json
from collections import defaultdict

totals = defaultdict(int)
with open("sales.csv", newline="") as source:
    for row in csv.DictReader(source):
        totals[row["region"]] += int(row["revenue"])

ranked = sorted(totals.items(), key=lambda item: -item[1])
with open("totals.csv", "w", newline="") as target:
    writer = csv.writer(target)
    writer.writerow(["region", "revenue"])
    writer.writerows(ranked)
json.dump(dict(ranked), open("totals.json", "w"))

for region, revenue in ranked:
    print(f"{region:6} {revenue:>7,}")
`

const HTTP = `// Allowed: example.com alone, as the Limits tab says. All else is refused outside the sandbox.
for (const url of ['https://example.com/', 'https://example.org/']) {
  try {
    const response = await fetch(url)
    const text = await response.text()
    console.log(url, response.status, text.match(/<title>(.*?)<\\/title>/)?.[1])
  } catch (error) {
    console.error(url, 'refused:', error.cause?.code ?? error.message)
  }
}
`

const NPM = `const dayjs = require('dayjs')
const { chunk, sumBy } = require('lodash')

const days = Array.from({ length: 14 }, (_, n) => ({
  day: dayjs('2026-01-05').add(n, 'day').format('ddd D MMM'),
  visits: (n * 37) % 100,
}))

for (const [number, week] of chunk(days, 7).entries()) {
  console.log(\`Week \${number + 1}: \${sumBy(week, 'visits')} visits\`)
  for (const { day, visits } of week) console.log('  ' + day.padEnd(12), '▇'.repeat(visits / 5))
}
`

const MULTI_MAIN = `import { readFileSync } from 'node:fs'
import { render } from './lib/render.mjs'

const { title, items } = JSON.parse(readFileSync('data/menu.json', 'utf8'))
console.log(render(title, items))
`
const MULTI_LIB = `export function render(title, items) {
  const width = Math.max(...items.map((item) => item.name.length))
  const lines = items.map(({ name, price }) => \`\${name.padEnd(width, ' ')}  \${price.toFixed(2).padStart(6)}\`)
  return [title, '-'.repeat(width + 8), ...lines].join('\\n')
}
`
const MULTI_DATA = `{
  "title": "Menu",
  "items": [
    { "name": "Coffee", "price": 2.8 },
    { "name": "Croissant", "price": 1.9 },
    { "name": "Sandwich", "price": 5.5 }
  ]
}
`

const LIMITS = `"""Meets its limits on purpose: look at the status line, then change them under Limits."""
import time

print("Allocating; the limit is 128 MB")
blocks = []
try:
    while len(blocks) < 6:
        blocks.append(bytearray(10 * 1024 * 1024))
        print(f"{len(blocks) * 10} MB held", flush=True)
        time.sleep(0.1)
except MemoryError:
    print("No more memory")

print("Now waiting until the time limit of 2 s ends it", flush=True)
while True:
    time.sleep(0.25)
    print(".", end="", flush=True)
`

export const EXAMPLES: Example[] = [
  { id: 'hello', title: 'Hello', text: 'Both output streams, in colour.', sandbox: () => makeSandbox('python', HELLO) },
  {
    id: 'stdin',
    title: 'Input and arguments',
    text: 'Reads standard input, takes an argument.',
    sandbox: () =>
      makeSandbox('python', WORDS, { stdin: 'The quick brown fox jumps over the lazy dog. The dog sleeps; the fox does not.\n', args: ['4'] }),
  },
  {
    id: 'plot',
    title: 'Plot with matplotlib',
    text: 'Installs a package, leaves a picture.',
    needs: 'packages',
    sandbox: () => makeSandbox('python', PLOT, { packages: ['matplotlib'], policy: { ...emptyPolicy(), memoryMB: 512, timeoutMs: 10_000 } }),
  },
  {
    id: 'csv',
    title: 'CSV analysis',
    text: 'Reads one table, leaves another.',
    sandbox: () => makeSandbox('python', CSV, { files: [file('main.py', CSV), file('sales.csv', SALES)] }),
  },
  {
    id: 'http',
    title: 'HTTP with a network policy',
    text: 'One host is allowed, one is not.',
    needs: 'network',
    sandbox: () => makeSandbox('node', HTTP, { files: [file('main.mjs', HTTP)], entry: 'main.mjs', policy: { ...emptyPolicy(), network: true, hosts: ['example.com'] } }),
  },
  { id: 'npm', title: 'npm packages', text: 'lodash and dayjs, from npm.', needs: 'packages', sandbox: () => makeSandbox('node', NPM, { packages: ['lodash', 'dayjs'] }) },
  {
    id: 'files',
    title: 'Several files',
    text: 'A module and its data, in folders.',
    sandbox: () =>
      makeSandbox('node', '', { files: [file('main.mjs', MULTI_MAIN), file('lib/render.mjs', MULTI_LIB), file('data/menu.json', MULTI_DATA)], entry: 'main.mjs' }),
  },
  {
    id: 'limits',
    title: 'Limits',
    text: 'Memory, then time: see what a run may use.',
    sandbox: () => makeSandbox('python', LIMITS, { policy: { ...emptyPolicy(), memoryMB: 128, timeoutMs: 2000 } }),
  },
]
