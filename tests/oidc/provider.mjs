// A real OpenID Connect provider (panva's oidc-provider, certified) for the tests.
//
//   node provider.mjs NODE_MODULES '{"port": …, "clients": […], "accounts": {…}}'
//
// It asks for any name and password, and for consent, on pages of its own: its development
// interactions. An account that the configuration does not name has no claims but `sub`.
import { generateKeyPairSync } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [modules, given] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`).href);
const { port, clients, accounts, idTokenClaims } = JSON.parse(given);

const key = (kind, options, more) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
  use: 'sig',
  ...more,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: {
    keys: [
      key('rsa', { modulusLength: 2048 }, { kid: 'rsa' }),
      key('ec', { namedCurve: 'P-256' }, { kid: 'ec' }),
      key('ed25519', {}, { kid: 'ed' }),
    ],
  },
  claims: {
    openid: ['sub', 'groups', 'realm_access'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
  },
  // The standard: what an access token can fetch is not in the id token.
  conformIdTokenClaims: !idTokenClaims,
  cookies: { keys: ['only for tests'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519', 'HS256'] },
  pkce: { required: () => true },
  ttl: {
    AccessToken: 600,
    AuthorizationCode: 60,
    Grant: 600,
    IdToken: 600,
    Interaction: 600,
    Session: 600,
  },
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, ...accounts[sub] }),
  }),
});

provider.listen(port, '127.0.0.1');
