/** Packages that people ask for, and how a wish for one is written for pip and npm. */
import type { Lang } from './model'

const PYTHON =
  'aiohttp anyio arrow attrs beautifulsoup4 bokeh boto3 cattrs click colorama cryptography cvxpy dask dateparser duckdb faker fastapi fastparquet feedparser flask flask-cors folium fpdf2 fsspec geopandas geopy graphviz h5py httpx humanize hypothesis imageio jinja2 joblib jsonschema kaleido lightgbm loguru lxml markdown markdown-it-py marshmallow matplotlib mpmath msgpack mypy networkx nltk numba numexpr numpy openpyxl orjson packaging pandas pandera pdfplumber pendulum pillow plotly polars pyarrow pycryptodome pydantic pygments pyjwt pymongo pypdf pyperclip pytest python-dateutil python-docx python-dotenv python-pptx python-slugify pytz pyyaml qrcode rapidfuzz redis regex reportlab requests rich ruff scikit-image scikit-learn scipy seaborn shapely simpy six sortedcontainers spacy sqlalchemy sqlmodel statsmodels sympy tabulate tenacity textblob tiktoken toml tomli toolz tqdm typer typing-extensions ujson unidecode urllib3 websockets wordcloud xgboost xlsxwriter xmltodict yarl zstandard'
const NODE =
  'acorn ajv async axios bcryptjs bignumber.js body-parser canvas chalk change-case cheerio chroma-js cli-table3 color commander cors cron-parser crypto-js csv-parse csv-stringify d3 d3-array d3-scale date-fns dayjs decimal.js deepmerge diff dotenv ejs eventemitter3 exceljs execa express fast-xml-parser fastify fflate figlet fs-extra fuse.js glob got graphql handlebars hono html-to-text iconv-lite immer immutable ioredis jimp joi js-yaml json5 jsonwebtoken jszip katex ky linkify-it lodash lodash-es lru-cache luxon markdown-it marked mathjs mime-types minimatch mitt moment ms nanoid node-fetch numeral ora p-limit p-queue papaparse parse5 pdf-lib pg pino pluralize prettier qrcode qs ramda react react-dom remark rxjs semver sharp simple-statistics slugify sql.js sqlstring strip-ansi superjson tar tinycolor2 ts-pattern turndown typescript ulid undici uuid validator winston ws xlsx xml2js yaml yup zod'

const KNOWN: Record<Lang, string[]> = { python: PYTHON.split(' '), node: NODE.split(' ') }

/** What it is called, without version and extras. */
export function nameOf(wish: string, lang: Lang): string {
  if (lang === 'node') return /^(@?[^@]*)/.exec(wish.trim())![1]!.toLowerCase()
  return /^([^\s=<>!~;[]*)/.exec(wish.trim())![1]!.toLowerCase().replace(/[._]+/g, '-')
}

/** Those that begin with what was typed, then those that hold it. */
export function suggest(typed: string, lang: Lang, taken: readonly string[], most = 8): string[] {
  const query = nameOf(typed, lang)
  if (!query || query.length !== typed.trim().length) return [] // a version is being typed
  const names = taken.map((wish) => nameOf(wish, lang))
  const free = KNOWN[lang].filter((name) => !names.includes(name))
  return [...free.filter((name) => name.startsWith(query)), ...free.filter((name) => !name.startsWith(query) && name.includes(query))].slice(0, most)
}

const PIP = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._, -]+\])?\s*(?:(?:===?|~=|!=|<=?|>=?)\s*[A-Za-z0-9.*+!_-]+(?:\s*,\s*(?:===?|~=|!=|<=?|>=?)\s*[A-Za-z0-9.*+!_-]+)*)?$/
const NPM = /^(?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-z0-9-~][a-z0-9-._~]*(?:@[\w.^~<>=|* +-]+)?$/i

/** Why it cannot be installed as it is written; null: it may. The server has the last word. */
export function wishProblem(wish: string, lang: Lang): string | null {
  const text = wish.trim()
  if (text.length > 200) return 'That is too long for a package.'
  if ((lang === 'python' ? PIP : NPM).test(text)) return null
  return lang === 'python' ? 'Write a name, or a name and version such as pandas==2.2.3.' : 'Write a name, or a name and version such as lodash@4.17.21.'
}
