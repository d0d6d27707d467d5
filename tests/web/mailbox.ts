/** A mail server on loopback that keeps what comes. */
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import type { AddressInfo } from 'node:net';
import { waitFor } from './server.js';

export class Mailbox {
  private readonly mails: { to: string; mail: Email }[] = [];
  private readonly server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, session, done) => {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        const to = session.envelope.rcptTo[0]?.address ?? '';
        PostalMime.parse(Buffer.concat(pieces)).then((mail) => {
          this.mails.push({ to, mail });
          done();
        }, done);
      });
    },
  });

  async open(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    return this;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.server.server.address() as AddressInfo).port}`;
  }

  /** Takes the next mail to somebody out of the box. */
  async next(to: string): Promise<Email> {
    const at = await waitFor(() => this.mails.findIndex((each) => each.to === to) + 1, `a mail to ${to}`);
    return this.mails.splice(at - 1, 1)[0]!.mail;
  }

  async close(): Promise<void> {
    await new Promise<void>((done) => this.server.close(done));
  }
}

/** The link of a mail, the same in both its parts. */
export function linkOf(mail: Email): string {
  const link = /^https?:\S+$/m.exec(mail.text ?? '')?.[0];
  if (!link || !mail.html?.includes(`href="${link}"`)) throw new Error(`no link in: ${mail.text}`);
  return link;
}
