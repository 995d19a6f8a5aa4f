/** The client against agents that behave, lie, hang, talk nonsense and die. */
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createRawServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectAgent, type AgentClient } from '../../src/client/client.js';
import { findListener } from '../../src/client/connect.js';
import { signStatements } from '../../src/client/signer.js';
import { unlockToken } from '../../src/client/unlock.js';
import { HpkeRecipient } from '../../src/crypto/hpke.js';
import type { AgentEvent } from '../../src/protocol/events.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { NativeChild } from '../support/native-child.js';
import { rejectionOf } from '../support/rejection.js';
import { ScriptedAgent, type Answer } from '../support/scripted-agent.js';
import { TempFolder } from '../support/temp-folder.js';

const UID = process.getuid?.() ?? -1;

let folder: TempFolder;
let path: string;
beforeEach(() => {
  folder = new TempFolder();
  path = folder.join('agent.sock');
});
afterEach(() => {
  folder[Symbol.dispose]();
});

function connect(timeoutMs = 5_000): Promise<AgentClient> {
  return connectAgent({ socket: path, uid: UID, timeoutMs, name: 'test/1' });
}

async function withScript<T>(
  answer: Answer,
  use: (client: AgentClient, agent: ScriptedAgent) => Promise<T>,
): Promise<T> {
  await using agent = await ScriptedAgent.listen(path, answer);
  using client = await connect();
  return await use(client, agent);
}

describe('reaching the agent', () => {
  it('says hello with name and protocol, and hears who the keeper is', async () => {
    await withScript(
      () => undefined,
      async (client, agent) => {
        expect(agent.requests[0]).toMatchObject({
          method: 'hello',
          params: { client: 'test/1', protocol: 1 },
        });
        expect(client.keeperPid).toBeGreaterThan(0);
        await expect(findListener({ socket: path, uid: UID, timeoutMs: 1_000 })).resolves.toBeUndefined();
      },
    );
  });

  it('says that nobody answers when there is no socket, or a dead one', async () => {
    const missing = await rejectionOf(connect());
    expect(missing.code).toBe('agent.unreachable');
    expect(missing.message).toContain('there is no socket');
    writeFileSync(path, '');
    expect((await rejectionOf(connect())).code).toBe('agent.unreachable');
  });

  it('refuses a path that no socket can have', async () => {
    const long = connectAgent({ socket: `/${'x'.repeat(120)}`, uid: UID, timeoutMs: 100, name: 'test/1' });
    expect((await rejectionOf(long)).code).toBe('agent.socket-path');
  });

  it('refuses another protocol version', async () => {
    await using agent = await ScriptedAgent.listen(path, () => ({
      result: { agent: 'x', protocol: 2, pid: 1 },
    }));
    expect((await rejectionOf(connect())).code).toBe('rpc.version');
    expect(agent.requests).toHaveLength(1);
  });

  it('ends at the deadline with a server that accepts and stays silent', async () => {
    const silent = createRawServer(() => undefined).listen(path);
    try {
      expect((await rejectionOf(connect(200))).code).toBe('limits.deadline');
    } finally {
      silent.close();
    }
  });

  it('ends at the deadline with an agent that upgrades and never says hello', async () => {
    await using agent = await ScriptedAgent.listen(path, () => 'silence');
    expect((await rejectionOf(connect(300))).code).toBe('limits.deadline');
    expect(agent.requests).toHaveLength(1);
  });

  it('refuses a hello with neither result nor error', async () => {
    await using agent = await ScriptedAgent.listen(path, () => ({}));
    expect((await rejectionOf(connect())).code).toBe('rpc.request');
    expect(agent.requests).toHaveLength(1);
  });

  it('passes a refusal before the upgrade on as the error it is', async () => {
    const body = JSON.stringify({
      code: 'peer.uid-refused',
      message: 'uid 7 may not talk to the agent',
      hint: 'ask',
    });
    const server = createServer().listen(path);
    server.on('upgrade', (_request, stream) => {
      stream.end(
        `HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    });
    try {
      const error = await rejectionOf(connect());
      expect(error.code).toBe('peer.uid-refused');
      expect(error.message).toBe('uid 7 may not talk to the agent');
    } finally {
      server.close();
    }
  });

  it('says so when the other side does not speak the protocol', async () => {
    const server = createRawServer((socket) => socket.end('SSH-2.0-something\r\n')).listen(path);
    try {
      expect((await rejectionOf(connect())).code).toBe('agent.unreachable');
    } finally {
      server.close();
    }
  });
});

describe('an impostor on the socket', () => {
  /** A listener of another user: for root a real one, else ours with the test's own uid disowned. */
  async function listenAsAnother(): Promise<NativeChild> {
    chmodSync(folder.path, 0o777);
    const through = UID === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const script = `
      import { createServer } from 'node:net';
      let bytes = 0;
      const server = createServer((socket) => {
        socket.on('data', (data) => { bytes += data.length; });
        socket.on('error', () => undefined);
        socket.on('close', () => say(bytes));
      });
      server.listen(process.argv[1], () => say('listening'));
      await hear();
      server.close();
      process.exit(0);`;
    const child = new NativeChild(script, { through, args: [path] });
    expect(await child.heard()).toBe('listening');
    chmodSync(path, 0o777);
    return child;
  }
  const ownUid = UID === 0 ? 0 : UID + 1;
  const otherUid = UID === 0 ? 65534 : UID;

  it('is refused before it hears a single byte', async () => {
    await using child = await listenAsAnother();
    const attempt = connectAgent({ socket: path, uid: ownUid, timeoutMs: 2_000, name: 'test/1' });
    const error = await rejectionOf(attempt);
    expect(error.code).toBe('agent.impostor');
    expect(error.details).toMatchObject({ uid: otherUid, pid: child.pid });
    expect(await child.heard()).toBe(0);
  });

  it('is refused when another uid is the service user, and accepted when its own is', async () => {
    await using child = await listenAsAnother();
    const ask = (serviceUid: number): Promise<void> =>
      findListener({
        socket: path,
        uid: ownUid,
        serviceUid: () => Promise.resolve(serviceUid),
        timeoutMs: 2_000,
      });
    expect((await rejectionOf(ask(otherUid + 1))).code).toBe('agent.impostor');
    await expect(ask(otherUid)).resolves.toBeUndefined();
  });
});

describe('calls', () => {
  it('are pipelined and find their replies in any order', async () => {
    const waiting: number[] = [];
    const answer: Answer = ({ id, method, params }, socket) => {
      if (method === 'hello') return undefined;
      waiting.push(id);
      if (waiting.length === 3) {
        for (const one of waiting.reverse()) {
          socket.send(JSON.stringify({ jsonrpc: '2.0', id: one, result: { asked: params['all'], id: one } }));
        }
      }
      return undefined;
    };
    await withScript(answer, async (client) => {
      const replies = await Promise.all([1, 2, 3].map(() => client.call('keys.list', { all: true })));
      const ids = replies.map((reply) => (reply as unknown as { readonly id: number }).id);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      expect(new Set(ids).size).toBe(3);
    });
  });

  it('carry code, words, hint and details of the agent', async () => {
    const data = {
      code: 'key.unknown',
      message: 'no key a/b#ssh',
      hint: 'did you mean a/c#ssh',
      details: { near: ['a/c#ssh'] },
    };
    const answer: Answer = ({ method }) =>
      method === 'hello' ? undefined : { error: { code: -32102, message: data.message, data } };
    await withScript(answer, async (client) => {
      const error = await rejectionOf(client.call('keys.show', { key: 'a/b#ssh' }));
      expect(error.toData()).toEqual(data);
    });
  });

  it('understand a bare JSON-RPC error and one of a newer agent', async () => {
    const errors = [
      { code: -32080, message: 'denied' },
      {
        code: -39999,
        message: 'something new',
        data: { code: 'new.thing', message: 'something new', hint: 'update' },
      },
    ];
    const answer: Answer = ({ method }) => (method === 'hello' ? undefined : { error: errors.shift() });
    await withScript(answer, async (client) => {
      expect((await rejectionOf(client.call('status', {}))).code).toBe('policy.denied');
      const newer = await rejectionOf(client.call('status', {}));
      expect([newer.code, newer.message, newer.hint]).toEqual([
        'internal.unexpected',
        'something new',
        'update',
      ]);
    });
  });

  it('end by their deadline and cancel what they gave up', async () => {
    await withScript(
      () => undefined,
      async (client, agent) => {
        const error = await rejectionOf(client.call('status', {}, { timeoutMs: 50 }));
        expect(error.code).toBe('limits.deadline');
        expect(error.message).toContain('status');
        const late = agent.requests.find(({ method }) => method === 'status');
        await expect
          .poll(() => agent.requests.at(-1))
          .toMatchObject({ method: 'cancel', params: { id: late?.id } });
      },
    );
  });

  it('all fail when the agent goes away, and so does every later one', async () => {
    await withScript(
      () => undefined,
      async (client, agent) => {
        const pending = [rejectionOf(client.call('status', {})), rejectionOf(client.call('keys.list', {}))];
        await expect.poll(() => agent.requests.length).toBe(3);
        agent.dropConnections();
        expect((await Promise.all(pending)).map((error) => error.code)).toEqual([
          'agent.unreachable',
          'agent.unreachable',
        ]);
        expect((await rejectionOf(client.call('status', {}))).code).toBe('agent.unreachable');
      },
    );
  });

  it('that are too large are refused here, and a 1009 close is told as what it is', async () => {
    const answer: Answer = ({ method }, socket) => {
      if (method !== 'hello') socket.close(1009);
      return undefined;
    };
    await withScript(answer, async (client, agent) => {
      const large = { key: 'a/b#ssh', kind: 'x', payload: 'A'.repeat(LIMITS.frameBytes) };
      expect((await rejectionOf(client.call('sign', { requests: [large] }))).code).toBe(
        'limits.frame-too-large',
      );
      expect(agent.requests).toHaveLength(1);
      expect((await rejectionOf(client.call('status', {}))).code).toBe('limits.frame-too-large');
    });
  });

  it.each([
    ['text that is not JSON', 'hello?', 'rpc.parse'],
    ['a JSON list', '[]', 'rpc.parse'],
    [
      'an error without id',
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not JSON"}}',
      'rpc.parse',
    ],
  ])('end with an error when the agent sends %s', async (_, text, code) => {
    const answer: Answer = ({ method }, socket) => {
      if (method !== 'hello') socket.send(text);
      return undefined;
    };
    await withScript(answer, async (client) => {
      expect((await rejectionOf(client.call('status', {}))).code).toBe(code);
    });
  });

  it('end with an error when the agent sends bytes or a reply larger than a frame may be', async () => {
    const sent: (Buffer | string)[] = [Buffer.from([1, 2, 3]), 'x'.repeat(LIMITS.socketFrameBytes + 1)];
    const codes: string[] = [];
    for (const message of sent) {
      const answer: Answer = ({ method }, socket) => {
        if (method !== 'hello') socket.send(message);
        return undefined;
      };
      await withScript(answer, async (client) => {
        codes.push((await rejectionOf(client.call('status', {}))).code);
      });
    }
    expect(codes).toEqual(['rpc.parse', 'agent.unreachable']);
  });

  it('leave events to listeners until they are removed', async () => {
    const events: AgentEvent[] = [];
    const event = { event: 'waiting', id: 2, token: 'release', ahead: 3 };
    const answer: Answer = ({ method }, socket) => {
      if (method === 'hello') return undefined;
      socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'event', params: event }));
      return { result: { subscribed: true } };
    };
    await withScript(answer, async (client) => {
      const stop = client.onEvent((one) => events.push(one));
      await client.call('events.subscribe', {});
      stop();
      await client.call('events.subscribe', {});
      expect(events).toEqual([event]);
    });
  });
});

describe('signing and unlocking', () => {
  it('sends payloads as base64 and gives signatures as bytes, in order', async () => {
    const answer: Answer = ({ method, params }) => {
      if (method === 'hello') return undefined;
      const requests = params['requests'] as readonly { readonly payload: string }[];
      const signatures = requests.map(({ payload }, index) => ({
        signature: payload,
        keyId: 'k',
        auditId: index + 7,
      }));
      return { result: { signatures } };
    };
    await withScript(answer, async (client) => {
      // A view into a larger buffer: only its own bytes may travel.
      const payload = Buffer.from('xxabcxx').subarray(2, 5);
      const statement = { key: 'a/b#ssh', kind: 'sshsig:file' };
      const signed = await signStatements(
        client,
        [
          { ...statement, payload },
          { ...statement, payload: new Uint8Array([0]) },
        ],
        900,
      );
      expect(signed).toEqual([
        { signature: Buffer.from('abc'), keyId: 'k', auditId: 7 },
        { signature: Buffer.from([0]), keyId: 'k', auditId: 8 },
      ]);
    });
  });

  it('refuses another number of signatures than it asked for', async () => {
    const answer: Answer = ({ method }) => (method === 'hello' ? undefined : { result: { signatures: [] } });
    await withScript(answer, async (client) => {
      const one = { key: 'a/b#ssh', kind: 'sshsig:file', payload: Buffer.from('x') };
      expect((await rejectionOf(signStatements(client, [one], 900))).code).toBe('rpc.request');
    });
  });

  it('seals the PIN to the key of the attempt and overwrites it', async () => {
    using recipient = HpkeRecipient.generate();
    const info = Buffer.from('serial and attempt');
    let opened = '';
    const answer: Answer = ({ method, params }) => {
      if (method === 'unlock.begin') {
        return {
          result: {
            attempt: 'a1',
            publicKey: recipient.publicKey.toString('base64'),
            info: info.toString('base64'),
            token: params['token'],
            serial: '01',
            label: 'x',
            triesLeft: 'full',
            initialised: true,
            expiresAt: '2030-01-01T00:00:00Z',
          },
        };
      }
      if (method !== 'unlock.finish') return undefined;
      const pin = params['pin'] as Readonly<Record<'attempt' | 'enc' | 'ciphertext', string>>;
      const sealed = {
        enc: Buffer.from(pin.enc, 'base64'),
        ciphertext: Buffer.from(pin.ciphertext, 'base64'),
      };
      opened = recipient.open(sealed, info).toString('latin1');
      return { result: { lease: { id: pin.attempt }, loaded: 2 } };
    };
    await withScript(answer, async (client, agent) => {
      const typed = Buffer.from('123456');
      const readPin = (): Promise<Buffer> => Promise.resolve(typed);
      const result = await unlockToken(client, {
        token: 'release',
        readPin,
        lease: { seconds: 60 },
        timeoutMs: 1_000,
      });
      expect(result.loaded).toBe(2);
      expect(opened).toBe('123456');
      expect(typed).toEqual(Buffer.alloc(6));
      expect(JSON.stringify(agent.requests)).not.toContain('123456');
      expect(agent.requests.at(-1)?.params).toMatchObject({ seconds: 60, pin: { attempt: 'a1' } });
    });
  });
});
