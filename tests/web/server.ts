/** A real server on a port and a data folder of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const build = process.env.DOCLE_BUILD ?? join(repository, 'build');
const patience = 1000 * Number(process.env.DOCLE_TEST_PATIENCE_S ?? '60');

/** The first value of look() that is something. */
export async function waitFor<T>(look: () => T | undefined | false | null, what: string): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

export class Server {
  readonly folder = mkdtempSync(join(tmpdir(), 'docle-web-'));
  private readonly log = join(this.folder, 'log');
  private readonly env: NodeJS.ProcessEnv;
  private process?: ChildProcess;
  url = '';

  constructor(
    private readonly flags: string[],
    env: NodeJS.ProcessEnv = {},
  ) {
    chmodSync(this.folder, 0o755); // the server gives up root and must still get in
    this.env = { DOCLE_DATA_DIR: join(this.folder, 'data'), LANG: 'C.UTF-8' };
    for (const name of ['PATH', 'HOME', 'DOCLE_ROOT_DIR'])
      if (process.env[name]) this.env[name] = process.env[name];
    Object.assign(this.env, env);
  }

  async start(): Promise<this> {
    const log = openSync(this.log, 'a');
    this.process = spawn(join(build, 'docle'), ['serve', ...this.flags], {
      env: this.env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.url = await waitFor(() => {
      if (this.process?.exitCode != null) throw new Error(`docle serve ended: ${this.logText()}`);
      return /^Serving on (http:\S+)$/m.exec(this.logText())?.[1];
    }, 'the server is ready');
    return this;
  }

  logText(): string {
    return readFileSync(this.log, 'utf8');
  }

  docle(...words: string[]): string {
    return execFileSync(join(build, 'docle'), words, { env: this.env, encoding: 'utf8' });
  }

  /** Changes rows in the database, where no clock can wait for it. */
  change(sql: string): void {
    const script = 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1], timeout=60) as d: d.execute(sys.argv[2])';
    execFileSync('python3', ['-c', script, join(this.folder, 'data', 'docle.db'), sql]);
  }

  /** Ends the server; its data stay, and start() goes on with them. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const process = this.process;
    if (process && process.exitCode == null && process.signalCode == null) {
      const ended = new Promise((done) => process.once('exit', done));
      process.kill(signal);
      await ended;
    }
    writeFileSync(this.log, ''); // what start() looks for has to be new
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
