/** What users import. Everything is in lib/. */
export { Command, commandFd, commandRoot } from './lib/command.ts'
export { CommandRootError, ExitError } from './lib/errors.ts'
export { Executable } from './lib/executable.ts'
export { forkExec } from './lib/fork-exec.ts'
export { probe } from './lib/probe.ts'
export { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from './lib/proc-attr.ts'
export { Process } from './lib/process.ts'
export { openRoot, Root } from './lib/root.ts'
export type {
  AbortError,
  Child,
  ChildBy,
  CommandOptions,
  CommandOutput,
  CommandStatus,
  Encoding,
  ExecutableOptions,
  ForkExecAttr,
  IdMap,
  Output,
  Probe,
  ProcAttr,
  ProcessAttributes,
  ProcessState,
  ResourceUsage,
  Rlimit,
  RlimitName,
  RootOptions,
  Stdio,
  StdioSource,
  Step,
} from './lib/types.ts'
