/** Names on their way to a server: none of them reaches another path, or another part of an upload. */
import { describe, expect, it } from 'vitest';
import { asAgentError } from '../../src/errors/agent-error.js';
import { multipart } from '../../src/trust/multipart.js';
import { TrustServer } from '../../src/trust/server.js';

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'ok';
  } catch (thrown) {
    return asAgentError(thrown).code;
  }
}

describe('names', () => {
  // Keys of the agent may be of such repositories, and the signer of a notary-server asks about those.
  it.each(['a/../../x', 'registry.example/./x', '../x', '..', 'a//b/..', '/v2/x'])(
    'a repository %s is asked about nowhere',
    (repository) => {
      const options = { env: {}, home: '/nonexistent', server: 'https://notary.example/base', deadline: 0 };
      expect(codeOf(() => new TrustServer(repository, options))).toBe('usage.invalid');
    },
  );

  it('of collections as they are do', () => {
    const options = { env: {}, home: '/nonexistent', server: 'https://notary.example', deadline: 0 };
    for (const name of ['localhost:5000/demo/app', 'docker.io/library/a..b', 'registry.example/Acme/x_y-z']) {
      expect(codeOf(() => new TrustServer(name, options))).toBe('ok');
    }
  });

  it.each(['x"\r\ncontent-type: text/html\r\n\r\n', 'targets/../root', 'Root', ''])(
    'the role %j is no part of an upload',
    (role) => {
      expect(codeOf(() => multipart(new Map([[role, Buffer.from('{}')]])))).toBe('notary.document');
    },
  );

  it('of roles are', () => {
    const parts = new Map(['root', 'targets/releases'].map((role) => [role, Buffer.from('{}')]));
    expect(multipart(parts).body.toString()).toContain('filename="targets/releases"');
  });
});
