// A registry of this machine's own, which knows nothing but what is published to it.

import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

/** Runs until the process ends. `tools`: where verdaccio is installed; `place`: an empty directory for it. */
export async function startRegistry(tools, place) {
  const { runServer } = createRequire(path.join(tools, 'package.json'))('verdaccio')
  mkdirSync(place, { recursive: true })
  const server = await runServer({
    self_path: path.join(place, 'config.yaml'),
    storage: path.join(place, 'storage'),
    packages: { '**': { access: '$all', publish: '$anonymous' } },
    web: { enable: false },
    log: { type: 'stdout', level: 'fatal' },
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${server.address().port}`
  // npm publishes nothing without a token; nobody looks at this one. Nothing of the user's own settings is used.
  const settings = path.join(place, 'npmrc')
  writeFileSync(settings, `registry=http://${host}/\n//${host}/:_authToken=none\n`)
  server.unref()
  return {
    npm_config_userconfig: settings,
    npm_config_globalconfig: path.join(place, 'none'),
    npm_config_registry: `http://${host}/`,
    npm_config_cache: path.join(place, 'cache'),
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  }
}
