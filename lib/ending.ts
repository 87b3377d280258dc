/** From how the Rust half says that a child ended to how Node says it. */
import type { Ending, Usage } from '#binding'
import type { ProcessState, ResourceUsage } from './types.ts'
import { signalName } from './validate.ts'

/** The exit code; null after a signal, and where the status could not be had. */
export function codeOf({ code, signal }: Ending): number | null {
  return signal === undefined ? (code ?? null) : null
}

export function signalOf({ signal }: Ending): NodeJS.Signals | null {
  return signal === undefined ? null : signalName(signal)
}

const NOTHING: ResourceUsage = Object.freeze({
  userCPUTime: 0,
  systemCPUTime: 0,
  maxRSS: 0,
  sharedMemorySize: 0,
  unsharedDataSize: 0,
  unsharedStackSize: 0,
  minorPageFault: 0,
  majorPageFault: 0,
  swappedOut: 0,
  fsRead: 0,
  fsWrite: 0,
  ipcSent: 0,
  ipcReceived: 0,
  signalsCount: 0,
  voluntaryContextSwitches: 0,
  involuntaryContextSwitches: 0,
})

/** All of Node's fields: those that the kernel does not keep are 0, as in process.resourceUsage(). */
export function resourceUsageOf(usage: Usage | undefined): ResourceUsage {
  return { ...NOTHING, ...usage }
}

/** Of a child whose status could be had. */
export function processStateOf(ending: Ending): ProcessState {
  const code = codeOf(ending)
  return Object.freeze({
    pid: ending.pid,
    code,
    signal: signalOf(ending),
    success: code === 0,
    coreDumped: ending.coreDumped,
    resourceUsage: Object.freeze(resourceUsageOf(ending.usage)),
  })
}
