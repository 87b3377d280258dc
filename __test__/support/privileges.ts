// What this process may do, and tests that take some of it.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { probe } from 'command-root'
import { reporter } from './programs.ts'
import { isRoot } from './system.ts'

/** What is lacking, in words; undefined: nothing. */
export type Lacking = string | undefined

export const needs = (what: string, isThere: boolean): Lacking => (isThere ? undefined : what)

const effective = BigInt(`0x${/^CapEff:\t(\w+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]}`)
export const hasCapability = (number: number): boolean => ((effective >> BigInt(number)) & 1n) === 1n

export const asRoot = needs('root', isRoot)
export const withUserNamespaces = needs('user namespaces', probe().userNamespaces)
export const mayRaiseLimits = asRoot ?? needs('CAP_SYS_RESOURCE', hasCapability(24))

/** Where cgroup v2 is mounted. */
export const hierarchy = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((at) =>
  fs.existsSync(path.join(at, 'cgroup.procs')),
)
export const withGroups = asRoot ?? needs('a cgroup v2 that may be written', hierarchy !== undefined)

/** Runs where it can, and says why where it cannot. */
export function testWhere(
  lacking: Lacking,
  title: string,
  act: (t: ExecutionContext) => Promise<void> | void,
  run: typeof test | typeof test.serial = test,
): void {
  run(lacking ? `${title} (skipped: takes ${lacking})` : title, async (t) => {
    if (!lacking) return act(t)
    t.log(`skipped: takes ${lacking}`)
    return t.pass()
  })
}

/** A directory of this test file's own, with the reporter, where any user may run it. */
export function openPlace(): string {
  const place = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'command-root-place-'))
  fs.chmodSync(place, 0o755)
  fs.copyFileSync(reporter, path.join(place, 'reporter'))
  fs.chmodSync(path.join(place, 'reporter'), 0o755)
  test.after.always(() => fs.rmSync(place, { recursive: true, force: true }))
  return place
}

export const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]

const oneToOne = (id: number) => [{ containerId: 0, hostId: id, size: 1 }]
/** The identity of this process, as root in a user namespace of its own: what an ordinary user may have. */
export const mapped = { uidMappings: oneToOne(uid), gidMappings: oneToOne(gid) }
