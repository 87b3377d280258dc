// What somebody has put on Object.prototype says nothing about what is started, as with child_process.

import test from 'ava'
import { askParent } from './support/parents.ts'
import { programs } from './support/programs.ts'

interface Answer {
  nodes: Record<string, unknown>
  ours: Record<string, unknown>
}

/** Names of options, of child_process and of ours, and of what stands in a start beside them. */
for (const tampered of [
  { cwd: '/not/there' },
  { cwd: '/tmp' },
  { cwd: '' },
  { argv0: 'another', args: ['x'] },
  { detached: true, timeout: 1, killSignal: 'SIGKILL' },
  { stdio: 'ignore' },
  { uid: 12345, gid: 12345 },
  { input: 'x', maxBuffer: 0 },
  { name: 'true', root: null, path: '/bin', program: null },
  { programFd: 0, programIdentity: { dev: 0, ino: 0, kind: 0 } },
  { sha256: '0'.repeat(64), seal: true },
  { inRoot: true, followLinks: false, crossMounts: false },
  { forceKillAfter: 0, waitDelay: 0 },
  { code: 7, statusErrno: 1, reason: 'ERR_X', failure: { errno: 1, step: 'x', syscall: 'x' } },
  { errno: 1, step: 'exec', syscall: 'x' },
  { isClosed: true, overflowed: 1 },
  { attributes: { detached: true }, chroot: '/tmp', cgroup: '/tmp', umask: 0o777, nice: 19, pgid: 0 },
  { noNewPrivs: true, keepFds: true, closeFds: false, namespaces: ['user'], rlimits: { nofile: 3 } },
  { soft: 0, hard: 0, containerId: 7, hostId: 7, size: 7, pdeathsig: 9, cpuAffinity: [0], groups: [1] },
]) {
  test(`Object.prototype with ${Object.keys(tampered).join(', ')}: ${Object.values(tampered)[0]}`, async (t) => {
    const { nodes, ours } = await askParent<Answer>('tampered.mjs', { args: [programs, JSON.stringify(tampered)] })
    t.deepEqual(ours, nodes)
  })
}
