// A certified OpenID provider (npm oidc-provider) for the tests: anybody signs in under the name that they write.
// PORT, REDIRECT_URI, and MODULE (the folder of the package) come from the environment.
const { default: Provider } = await import(`${process.env.MODULE}/lib/index.js`);
const issuer = `http://127.0.0.1:${process.env.PORT}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'alidade-test',
    client_secret: 'a-secret-of-the-client',
    redirect_uris: [process.env.REDIRECT_URI],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  scopes: ['openid', 'profile', 'groups'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
  pkce: { required: () => true },
  cookies: { keys: ['a key for tests'] },
  async findAccount(context, sub) {
    return {
      accountId: sub,
      claims: async () => ({ sub, name: `Somebody ${sub}`, preferred_username: sub, groups: ['/gaia/staff'] }),
    };
  },
  // Nobody is asked whether they agree: the tests are about signing in.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope('openid profile groups');
    await grant.save();
    return grant;
  },
});
provider.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'));
