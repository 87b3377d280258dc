// What an addon asks of the system it is loaded on.

import { spawnSync } from 'node:child_process'

/** Of dotted numbers the highest. */
const highest = (versions) => versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))[0]

/** The newest version of glibc whose symbols it needs: '2.28'. Throws where there is no readelf. */
export function glibcOf(addon) {
  const { error, status, stdout } = spawnSync('readelf', ['--version-info', '--wide', addon], { encoding: 'utf8' })
  if (error) throw new Error('readelf is missing (Debian and Ubuntu: apt install binutils)')
  if (status !== 0) throw new Error(`readelf cannot read ${addon}`)
  return highest([...stdout.matchAll(/Name: GLIBC_([\d.]+)/g)].map(([, version]) => version))
}

export const isNewer = (version, than) => version !== than && highest([version, than]) === version
