/** Our frames are read back by the library's own receiver. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { encodeTextFrames } from '../../src/endpoints/control/text-frames.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function received(texts: readonly string[]): Promise<readonly string[]> {
  const http = createServer();
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  http.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, () => {
      socket.write(encodeTextFrames(texts));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  closers.push(() => {
    client.terminate();
    http.close();
  });
  const messages: string[] = [];
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (data: Buffer) => {
      messages.push(data.toString('utf8'));
      if (messages.length === texts.length) resolve(messages);
    });
  });
}

test('messages around every length boundary arrive whole and in order', async () => {
  const lengths = [1, 125, 126, 127, 65_535, 65_536, 70_000];
  const texts = lengths.map((length) => 'x'.repeat(length));
  expect(await received(texts)).toEqual(texts);
});

test('lengths count bytes, not characters', async () => {
  const texts = ['ü'.repeat(63), 'é'.repeat(40_000), '☃'];
  expect(await received(texts)).toEqual(texts);
});
