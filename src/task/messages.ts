/** The messages of `containerd.task.v2` and v3, of containerd's events, and of what both carry: fields by containerd's names. */
import { codecs } from "../protobuf/codec";
import { type MessageOf, many, map, one, type ReceivedOf } from "../protobuf/fields";
import { timestampMessage } from "../protobuf/timestamp";

/** What most calls begin with. */
const process = { id: one(1, "string"), exec_id: one(2, "string") };
const ended = { pid: one(1, "uint32"), exit_status: one(2, "uint32"), exited_at: one(3, "Timestamp") };
const container = { container_id: one(1, "string") };

const messages = {
  ...timestampMessage,
  Empty: {},
  Any: { type_url: one(1, "string"), value: one(2, "bytes") },
  Mount: { type: one(1, "string"), source: one(2, "string"), target: one(3, "string"), options: many(4, "string") },

  CreateTaskRequest: {
    id: one(1, "string"),
    bundle: one(2, "string"),
    rootfs: many(3, "Mount"),
    terminal: one(4, "bool"),
    stdin: one(5, "string"),
    stdout: one(6, "string"),
    stderr: one(7, "string"),
    checkpoint: one(8, "string"),
    options: one(10, "Any"),
  },
  CreateTaskResponse: { pid: one(1, "uint32") },
  DeleteRequest: process,
  DeleteResponse: ended,
  ExecProcessRequest: {
    ...process,
    terminal: one(3, "bool"),
    stdin: one(4, "string"),
    stdout: one(5, "string"),
    stderr: one(6, "string"),
    spec: one(7, "Any"),
  },
  ResizePtyRequest: { ...process, width: one(3, "uint32"), height: one(4, "uint32") },
  StateRequest: process,
  StateResponse: {
    id: one(1, "string"),
    bundle: one(2, "string"),
    pid: one(3, "uint32"),
    status: one(4, "int32"),
    stdin: one(5, "string"),
    stdout: one(6, "string"),
    stderr: one(7, "string"),
    terminal: one(8, "bool"),
    exit_status: one(9, "uint32"),
    exited_at: one(10, "Timestamp"),
    exec_id: one(11, "string"),
  },
  KillRequest: { ...process, signal: one(3, "uint32"), all: one(4, "bool") },
  CloseIORequest: { ...process, stdin: one(3, "bool") },
  CheckpointTaskRequest: { id: one(1, "string"), path: one(2, "string"), options: one(3, "Any") },
  /** Of Pids, Pause, Resume, Stats and Connect, as far as it is read. */
  IdRequest: { id: one(1, "string") },
  PidsResponse: { processes: many(1, "ProcessInfo") },
  ProcessInfo: { pid: one(1, "uint32"), info: one(2, "Any") },
  ProcessDetails: { exec_id: one(1, "string") },
  UpdateTaskRequest: { id: one(1, "string"), resources: one(2, "Any"), annotations: map(3, "string") },
  StartRequest: process,
  StartResponse: { pid: one(1, "uint32") },
  WaitRequest: process,
  WaitResponse: { exit_status: one(1, "uint32"), exited_at: one(2, "Timestamp") },
  StatsResponse: { stats: one(1, "Any") },
  ConnectResponse: { shim_pid: one(1, "uint32"), task_pid: one(2, "uint32"), version: one(3, "string") },
  ShutdownRequest: { id: one(1, "string"), now: one(2, "bool") },

  /** containerd.services.events.ttrpc.v1 */
  ForwardRequest: { envelope: one(1, "Envelope") },
  Envelope: {
    timestamp: one(1, "Timestamp"),
    namespace: one(2, "string"),
    topic: one(3, "string"),
    event: one(4, "Any"),
  },

  /** containerd.events */
  TaskCreate: {
    ...container,
    bundle: one(2, "string"),
    rootfs: many(3, "Mount"),
    io: one(4, "TaskIO"),
    checkpoint: one(5, "string"),
    pid: one(6, "uint32"),
  },
  TaskIO: { stdin: one(1, "string"), stdout: one(2, "string"), stderr: one(3, "string"), terminal: one(4, "bool") },
  TaskStart: { ...container, pid: one(2, "uint32") },
  TaskDelete: {
    ...container,
    pid: one(2, "uint32"),
    exit_status: one(3, "uint32"),
    exited_at: one(4, "Timestamp"),
    id: one(5, "string"),
  },
  TaskExit: {
    ...container,
    id: one(2, "string"),
    pid: one(3, "uint32"),
    exit_status: one(4, "uint32"),
    exited_at: one(5, "Timestamp"),
  },
  TaskOOM: container,
  TaskExecAdded: { ...container, exec_id: one(2, "string") },
  TaskExecStarted: { ...container, exec_id: one(2, "string"), pid: one(3, "uint32") },
  TaskPaused: container,
  TaskResumed: container,

  /** containerd.runc.v1.Options, as far as it is read. */
  RuncOptions: { binary_name: one(6, "string"), systemd_cgroup: one(9, "bool") },
  /** containerd.runc.v1.CheckpointOptions */
  CheckpointOptions: {
    exit: one(1, "bool"),
    open_tcp: one(2, "bool"),
    external_unix_sockets: one(3, "bool"),
    terminal: one(4, "bool"),
    file_locks: one(5, "bool"),
    empty_namespaces: many(6, "string"),
    cgroups_mode: one(7, "string"),
    image_path: one(8, "string"),
    work_path: one(9, "string"),
  },
  /** runtimeoptions.v1.Options */
  RuntimeOptions: { type_url: one(1, "string"), config_path: one(2, "string"), config_body: one(3, "bytes") },

  /** containerd.types.RuntimeInfo: what `-info` answers. */
  RuntimeInfo: { name: one(1, "string"), version: one(2, "RuntimeVersion") },
  RuntimeVersion: { version: one(1, "string"), revision: one(2, "string") },
} as const;

type MessageName = keyof typeof messages;
export type Message<N extends MessageName> = MessageOf<typeof messages, N>;
export type Received<N extends MessageName> = ReceivedOf<typeof messages, N>;

/** What writes and reads the messages of a kind. */
export const codec = codecs(messages);

/** `containerd.v1.types.Status` */
export const TaskStatus = { created: 1, running: 2, stopped: 3, paused: 4 } as const;
