/** What users import. Everything is in lib/. */
export { Command, commandFd, commandRoot } from './lib/command.ts'
export { CommandRootError, ExitError } from './lib/errors.ts'
export { Executable } from './lib/executable.ts'
export { probe } from './lib/probe.ts'
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
  IdMap,
  Output,
  Probe,
  ProcessAttributes,
  ResourceUsage,
  Rlimit,
  RlimitName,
  RootOptions,
  Stdio,
  StdioSource,
  Step,
} from './lib/types.ts'
