/** What reading leaves on disk and takes from it: memory, pins, saved copies; and names of repositories. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderMemory } from '../../src/trust/folder-memory.js';
import { PassingMemory, type SeenCollection, type TrustMemory } from '../../src/trust/memory.js';
import { multipart } from '../../src/trust/multipart.js';
import { loadPins, pinFile, readPinDocument, replacePin } from '../../src/trust/pin-file.js';
import { PinSet } from '../../src/trust/pins.js';
import { rejectionOf as serverRejection } from '../../src/trust/rejection.js';
import { parseTrustReference } from '../../src/trust/repository-name.js';
import { SavedCopy, saveCopy } from '../../src/trust/saved-copy.js';
import { updateCollection } from '../../src/trust/update.js';
import type { Collection } from '../../src/trust/collection.js';
import type { MetadataSource } from '../../src/trust/metadata-source.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import { MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TempFolder } from '../support/temp-folder.js';

const NAME = 'registry.example:5000/acme/app';
const UID = process.getuid?.() ?? 0;
const ID = 'a'.repeat(64);

let folder: TempFolder;
beforeEach(() => {
  folder = new TempFolder();
});
afterEach(() => {
  folder[Symbol.dispose]();
});

function read(source: MetadataSource, memory: TrustMemory): Promise<Collection> {
  return updateCollection(source, { pins: new PinSet([], true), memory, nowMs: Date.now() });
}

function seenFileOf(memory: string): string {
  const [name = ''] = readdirSync(path.join(memory, 'seen'));
  return path.join(memory, 'seen', name);
}

describe('memory in a folder', () => {
  it('outlives the process, for this user alone', async () => {
    const trust = folder.join('trust');
    const made = new MadeRepository(NAME).delegate('targets/alice', [SoftwareSigner.make()]).publish();
    const before = new Map(made.files);
    await read(made.publish(), new FolderMemory(trust));
    expect(path.basename(seenFileOf(trust))).toBe('registry.example:5000+acme+app.json');
    expect(statSync(seenFileOf(trust)).mode & 0o777).toBe(0o600);
    for (const [name, file] of before) made.files.set(name, file);
    expect((await rejectionOf(read(made, new FolderMemory(trust)))).code).toBe('notary.rollback');
  });

  it.each(['', '{}', 'not JSON', '{"version":1}'])(
    'that is damaged is not taken for a first time: %j',
    async (text) => {
      const trust = folder.join('trust');
      const made = new MadeRepository(NAME);
      await read(made, new FolderMemory(trust));
      writeFileSync(seenFileOf(trust), text);
      expect((await rejectionOf(read(made, new FolderMemory(trust)))).code).toBe('state.damaged');
    },
  );

  it('of a later release is left alone', async () => {
    const trust = folder.join('trust');
    await read(new MadeRepository(NAME), new FolderMemory(trust));
    const file = seenFileOf(trust);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"version":1', '"version":2'));
    expect(codeOf(() => new FolderMemory(trust).load(NAME))).toBe('state.version');
  });

  it('of another repository is not taken either', async () => {
    const trust = folder.join('trust');
    await read(new MadeRepository(NAME), new FolderMemory(trust));
    const file = seenFileOf(trust);
    writeFileSync(file, readFileSync(file, 'utf8').replace('acme/app', 'acme/apq'));
    expect(codeOf(() => new FolderMemory(trust).load(NAME))).toBe('state.damaged');
  });

  it('does not go back when two read at once', async () => {
    const memory = new FolderMemory(folder.join('trust'));
    const made = new MadeRepository(NAME);
    await read(made, memory);
    const slow = memory.load(NAME);
    await read(made.publish(), memory);
    memory.save(NAME, slow as SeenCollection);
    expect(memory.load(NAME)?.roles.get('timestamp')?.version).toBe(2);
  });

  it('has room for long names', () => {
    const name = `registry.example/${'a'.repeat(230)}`;
    const memory = new FolderMemory(folder.join('trust'));
    const root = new MadeRepository(name).files.get('root') ?? Buffer.alloc(0);
    memory.save(name, { anchor: 'first-use', root, roles: new Map() });
    expect(memory.load(name)?.root.equals(root)).toBe(true);
  });
});

describe('pins.toml', () => {
  it('is written, replaced and read back', () => {
    const trust = folder.join('trust');
    expect(readPinDocument(trust, UID)).toEqual({ firstUse: true, pins: [] });
    replacePin(trust, UID, NAME, { repository: NAME, certificates: [ID] });
    replacePin(trust, UID, 'Acme.example/*', { repository: 'Acme.example/*', ca: '/etc/acme "ca".pem' });
    replacePin(trust, UID, NAME, { repository: NAME, certificates: ['b'.repeat(64)] });
    expect(readPinDocument(trust, UID).pins).toEqual([
      { repository: 'Acme.example/*', ca: '/etc/acme "ca".pem' },
      { repository: NAME, certificates: ['b'.repeat(64)] },
    ]);
    replacePin(trust, UID, 'Acme.example/*');
    expect(loadPins(trust, UID).find(NAME)).toEqual({ repository: NAME, certificates: ['b'.repeat(64)] });
  });

  it('switches first use off, and the command line cannot switch it on', () => {
    const trust = folder.join('trust');
    mkdirSync(trust);
    writeFileSync(pinFile(trust), 'version = 1\nfirst_use = false\n');
    expect(loadPins(trust, UID).firstUse).toBe(false);
    writeFileSync(pinFile(trust), 'version = 1\n');
    expect([loadPins(trust, UID).firstUse, loadPins(trust, UID, false).firstUse]).toEqual([true, false]);
  });

  it.each([
    ['version = 2', 1],
    ['version = 1\n[[pin]]\nrepository = "a*b"', 3],
    [`version = 1\n[[pin]]\nrepository = "a"\ncertificates = ["${ID.toUpperCase()}"]`, 4],
    ['version = 1\n[[pin]]\nrepository = "a"', 2],
    [`version = 1\n[[pin]]\nrepository = "a"\nca = "x"\ncertificates = ["${ID}"]`, 2],
    ['version = 1\n[[pin]]\nrepository = "a"\nca = "x"\n[[pin]]\nrepository = "a"\nca = "y"', 6],
    ['version = 1\npins = 1', 2],
  ])('with a mistake says where: %j', (text, line) => {
    writeFileSync(folder.join('pins.toml'), text);
    const error = thrownBy(() => readPinDocument(folder.path, UID));
    expect([error.code, error.details?.['line']]).toEqual(['notary.policy', line]);
  });

  it('that others can write is not believed', () => {
    writeFileSync(folder.join('pins.toml'), 'version = 1\n');
    chmodSync(folder.join('pins.toml'), 0o666);
    expect(codeOf(() => readPinDocument(folder.path, UID))).toBe('notary.policy');
  });

  it('takes authorities from a file beside it, and only authorities', () => {
    const signer = SoftwareSigner.make();
    replacePin(folder.path, UID, NAME, { repository: NAME, ca: 'acme.pem' });
    writeFileSync(folder.join('acme.pem'), signer.certificate('acme', { profile: 'authority' }));
    expect(loadPins(folder.path, UID).find(NAME)).toMatchObject({ authorities: [{ ca: true }] });
    writeFileSync(folder.join('acme.pem'), signer.certificate('acme'));
    expect(codeOf(() => loadPins(folder.path, UID))).toBe('notary.document');
    rmSync(folder.join('acme.pem'));
    expect(codeOf(() => loadPins(folder.path, UID))).toBe('usage.file');
  });
});

describe('a saved copy', () => {
  it('is read like the server, old pins and left-out delegations included', async () => {
    const first = SoftwareSigner.make().certified(NAME);
    const made = new MadeRepository(NAME, [first]).delegate('targets/alice', [SoftwareSigner.make()], {
      threshold: 2,
    });
    made
      .rotateRoot([SoftwareSigner.make().certified(NAME)])
      .sign('targets', 'v1', 'a')
      .publish();
    const copy = folder.join('copy');
    await saveCopy(made, await read(made, new PassingMemory()), copy, new Date());
    const opened = SavedCopy.open(copy);
    const pins = new PinSet([{ repository: NAME, certificates: [first.id] }], false);
    const options = { pins, memory: new PassingMemory(), nowMs: Date.now() };
    const view = await updateCollection(opened, options);
    expect([view.root.document.version, view.faults.get('targets/alice')?.problem]).toEqual([
      2,
      'under-signed',
    ]);
    expect(opened.repository).toBe(NAME);
  });

  it('goes into an empty folder, or over an older copy of the same repository', async () => {
    const made = new MadeRepository(NAME);
    const view = await read(made, new PassingMemory());
    const copy = folder.join('copy');
    await saveCopy(made, view, copy, new Date());
    await saveCopy(made, view, copy, new Date());
    const other = new MadeRepository('registry.example/other');
    const otherView = await read(other, new PassingMemory());
    expect((await rejectionOf(saveCopy(other, otherView, copy, new Date()))).code).toBe('usage.file');
    writeFileSync(folder.join('x'), '');
    expect((await rejectionOf(saveCopy(made, view, folder.path, new Date()))).code).toBe('usage.file');
    expect(codeOf(() => SavedCopy.open(folder.path))).toBe('usage.file');
    const inFile = saveCopy(made, view, folder.join('x', 'copy'), new Date());
    expect((await rejectionOf(inFile)).code).toBe('state.write');
  });

  it('hands out nothing from outside', async () => {
    const made = new MadeRepository(NAME);
    const copy = folder.join('copy');
    await saveCopy(made, await read(made, new PassingMemory()), copy, new Date());
    writeFileSync(folder.join('secret.json'), '{}');
    const opened = SavedCopy.open(copy);
    expect(codeOf(() => void opened.fetch('../../secret'))).toBe('notary.document');
    expect(codeOf(() => void opened.fetch('targets/../../secret'))).toBe('notary.document');
  });
});

describe('names', () => {
  it.each([
    ['docker.io/hello', 'docker.io/library/hello', undefined, undefined],
    ['localhost:5000/acme/app:V1', 'localhost:5000/acme/app', 'V1', undefined],
    [`r.example/a@sha256:${ID}`, 'r.example/a', undefined, `sha256:${ID}`],
    [`r.example/a:b@sha256:${ID}`, 'r.example/a', 'b', `sha256:${ID}`],
    ['R.Example/Acme/App', 'R.Example/Acme/App', undefined, undefined],
    ['collections/Acme', 'collections/Acme', undefined, undefined],
  ])('%s', (text, repository, tag, digest) => {
    expect(parseTrustReference(text)).toEqual({ repository, tag, digest });
  });

  it.each([
    '',
    'hello',
    '/a',
    'a//b',
    'r.example/../x',
    'r.example/a b',
    'r.example/a?b',
    'r.example/a#b',
    'r.example/a%2fb',
  ])('not %j', (text) => {
    expect(codeOf(() => parseTrustReference(text))).toBe('usage.invalid');
  });
});

describe('the wire', () => {
  it('has one part per role, known by its file name', () => {
    const { contentType, body } = multipart(
      new Map([
        ['root', Buffer.from('{}')],
        ['targets/alice', Buffer.from('[]')],
      ]),
    );
    const boundary = /^multipart\/form-data; boundary=([0-9a-f]{48})$/.exec(contentType)?.[1] ?? '';
    const text = body.toString('latin1');
    expect(text.split(`--${boundary}`)).toHaveLength(4);
    expect(text).toContain(
      'name="files"; filename="targets/alice"\r\ncontent-type: application/octet-stream\r\n\r\n[]\r\n',
    );
    expect(text.endsWith(`--${boundary}--\r\n`)).toBe(true);
  });

  it.each([
    ['{"errors":[{"code":"VERSION","message":"x"}]}', 'notary.conflict', 'in the meantime'],
    [
      '{"errors":[{"code":"INVALID_UPDATE","message":"no","detail":{"Name":"ErrBadRoot","Error":{"Msg":"bad \\u001b[2J"}}}]}',
      'notary.rejected',
      'no: ErrBadRoot: bad \ufffd[2J',
    ],
    ['{"errors":[]}', 'notary.rejected', 'status 400'],
    ['<html>', 'notary.rejected', 'status 400'],
    ['{"errors":[{"code":"UNKNOWN","message":"no signer"}]}', 'notary.reply', 'no signer', 500],
  ])('says what the server said: %s', (body, code, words, status = 400) => {
    const error = serverRejection(NAME, { status, headers: {}, body: Buffer.from(body) });
    expect([error.code, error.message.includes(words)]).toEqual([code, true]);
  });
});
