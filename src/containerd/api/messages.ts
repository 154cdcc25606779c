/**
 * The messages of containerd 0.2's API, `types.API`: their fields with numbers and types, from which the types of TypeScript follow.
 * Up to 0.2.2 times were seconds in a uint64, since 0.2.3 they are `google.protobuf.Timestamp` under numbers of their own: both are here,
 * the old ones as `seconds`.
 */
import { type Field, type MessageOf, many, map, one, type ReceivedOf } from "../../protobuf/fields";
import { timestampMessage } from "../../protobuf/timestamp";

/** What a process runs as, which AddProcessRequest and Process share but for the numbers of two fields. */
const stdio = { stdin: one(8, "string"), stdout: one(9, "string"), stderr: one(10, "string") };
const confinement = {
  capabilities: many(11, "string"),
  apparmorProfile: one(12, "string"),
  selinuxLabel: one(13, "string"),
  noNewPrivileges: one(14, "bool"),
  rlimits: many(15, "Rlimit"),
};
const program = {
  terminal: one(2, "bool"),
  user: one(3, "User"),
  args: many(4, "string"),
  env: many(5, "string"),
  cwd: one(6, "string"),
};

export const messages = {
  ...timestampMessage,

  GetServerVersionRequest: {},
  GetServerVersionResponse: {
    major: one(1, "uint32"),
    minor: one(2, "uint32"),
    patch: one(3, "uint32"),
    revision: one(4, "string"),
  },

  CreateContainerRequest: {
    id: one(1, "string"),
    bundlePath: one(2, "string"),
    checkpoint: one(3, "string"),
    stdin: one(4, "string"),
    stdout: one(5, "string"),
    stderr: one(6, "string"),
    labels: many(7, "string"),
    noPivotRoot: one(8, "bool"),
    runtime: one(9, "string"),
    runtimeArgs: many(10, "string"),
    checkpointDir: one(11, "string"),
  },
  CreateContainerResponse: { container: one(1, "Container") },

  UpdateContainerRequest: {
    id: one(1, "string"),
    pid: one(2, "string"),
    status: one(3, "string"),
    resources: one(4, "UpdateResource"),
  },
  UpdateResource: {
    blkioWeight: one(1, "uint64"),
    cpuShares: one(2, "uint64"),
    cpuPeriod: one(3, "uint64"),
    cpuQuota: one(4, "uint64"),
    cpusetCpus: one(5, "string"),
    cpusetMems: one(6, "string"),
    memoryLimit: one(7, "uint64"),
    memorySwap: one(8, "uint64"),
    memoryReservation: one(9, "uint64"),
    kernelMemoryLimit: one(10, "uint64"),
    kernelTCPMemoryLimit: one(11, "uint64"),
  },
  UpdateContainerResponse: {},

  SignalRequest: { id: one(1, "string"), pid: one(2, "string"), signal: one(3, "uint32") },
  SignalResponse: {},

  UpdateProcessRequest: {
    id: one(1, "string"),
    pid: one(2, "string"),
    closeStdin: one(3, "bool"),
    width: one(4, "uint32"),
    height: one(5, "uint32"),
  },
  UpdateProcessResponse: {},

  AddProcessRequest: { id: one(1, "string"), ...program, pid: one(7, "string"), ...stdio, ...confinement },
  AddProcessResponse: {},
  User: { uid: one(1, "uint32"), gid: one(2, "uint32"), additionalGids: many(3, "uint32") },
  Rlimit: { type: one(1, "string"), soft: one(2, "uint64"), hard: one(3, "uint64") },

  CreateCheckpointRequest: {
    id: one(1, "string"),
    checkpoint: one(2, "Checkpoint"),
    checkpointDir: one(3, "string"),
  },
  CreateCheckpointResponse: {},
  DeleteCheckpointRequest: { id: one(1, "string"), name: one(2, "string"), checkpointDir: one(3, "string") },
  DeleteCheckpointResponse: {},
  ListCheckpointRequest: { id: one(1, "string"), checkpointDir: one(2, "string") },
  ListCheckpointResponse: { checkpoints: many(1, "Checkpoint") },
  Checkpoint: {
    name: one(1, "string"),
    exit: one(2, "bool"),
    tcp: one(3, "bool"),
    unixSockets: one(4, "bool"),
    shell: one(5, "bool"),
    emptyNS: many(6, "string"),
  },

  StateRequest: { id: one(1, "string") },
  StateResponse: { containers: many(1, "Container"), machine: one(2, "Machine") },
  Container: {
    id: one(1, "string"),
    bundlePath: one(2, "string"),
    processes: many(3, "Process"),
    status: one(4, "string"),
    labels: many(5, "string"),
    pids: many(6, "uint32"),
    runtime: one(7, "string"),
  },
  Process: { pid: one(1, "string"), ...program, systemPid: one(7, "uint32"), ...stdio, ...confinement },
  /** `memory` is in MiB. */
  Machine: { cpus: one(1, "uint32"), memory: one(2, "uint64") },

  EventsRequest: {
    seconds: one(1, "uint64"),
    timestamp: one(2, "Timestamp"),
    storedOnly: one(3, "bool"),
    id: one(4, "string"),
  },
  Event: {
    type: one(1, "string"),
    id: one(2, "string"),
    status: one(3, "uint32"),
    pid: one(4, "string"),
    seconds: one(5, "uint64"),
    timestamp: one(6, "Timestamp"),
  },

  StatsRequest: { id: one(1, "string") },
  StatsResponse: {
    network_stats: many(1, "NetworkStats"),
    cgroup_stats: one(2, "CgroupStats"),
    seconds: one(3, "uint64"),
    timestamp: one(4, "Timestamp"),
  },
  NetworkStats: {
    name: one(1, "string"),
    rx_bytes: one(2, "uint64"),
    rx_Packets: one(3, "uint64"),
    Rx_errors: one(4, "uint64"),
    Rx_dropped: one(5, "uint64"),
    Tx_bytes: one(6, "uint64"),
    Tx_packets: one(7, "uint64"),
    Tx_errors: one(8, "uint64"),
    Tx_dropped: one(9, "uint64"),
  },
  CgroupStats: {
    cpu_stats: one(1, "CpuStats"),
    memory_stats: one(2, "MemoryStats"),
    blkio_stats: one(3, "BlkioStats"),
    hugetlb_stats: map(4, "HugetlbStats"),
    pids_stats: one(5, "PidsStats"),
  },
  CpuStats: {
    cpu_usage: one(1, "CpuUsage"),
    throttling_data: one(2, "ThrottlingData"),
    system_usage: one(3, "uint64"),
  },
  CpuUsage: {
    total_usage: one(1, "uint64"),
    percpu_usage: many(2, "uint64"),
    usage_in_kernelmode: one(3, "uint64"),
    usage_in_usermode: one(4, "uint64"),
  },
  ThrottlingData: {
    periods: one(1, "uint64"),
    throttled_periods: one(2, "uint64"),
    throttled_time: one(3, "uint64"),
  },
  PidsStats: { current: one(1, "uint64"), limit: one(2, "uint64") },
  MemoryStats: {
    cache: one(1, "uint64"),
    usage: one(2, "MemoryData"),
    swap_usage: one(3, "MemoryData"),
    kernel_usage: one(4, "MemoryData"),
    stats: map(5, "uint64"),
  },
  MemoryData: {
    usage: one(1, "uint64"),
    max_usage: one(2, "uint64"),
    failcnt: one(3, "uint64"),
    limit: one(4, "uint64"),
  },
  BlkioStats: {
    io_service_bytes_recursive: many(1, "BlkioStatsEntry"),
    io_serviced_recursive: many(2, "BlkioStatsEntry"),
    io_queued_recursive: many(3, "BlkioStatsEntry"),
    io_service_time_recursive: many(4, "BlkioStatsEntry"),
    io_wait_time_recursive: many(5, "BlkioStatsEntry"),
    io_merged_recursive: many(6, "BlkioStatsEntry"),
    io_time_recursive: many(7, "BlkioStatsEntry"),
    sectors_recursive: many(8, "BlkioStatsEntry"),
  },
  BlkioStatsEntry: {
    major: one(1, "uint64"),
    minor: one(2, "uint64"),
    op: one(3, "string"),
    value: one(4, "uint64"),
  },
  HugetlbStats: {
    usage: one(1, "uint64"),
    max_usage: one(2, "uint64"),
    failcnt: one(3, "uint64"),
    limit: one(4, "uint64"),
  },

  /** grpc.health.v1, which Docker asks twice a second. */
  HealthCheckRequest: { service: one(1, "string") },
  /** 1: serving. */
  HealthCheckResponse: { status: one(1, "int32") },
} as const satisfies Record<string, Record<string, Field>>;

export type MessageName = keyof typeof messages;

/** A message to be sent: what is left out is zero or empty. */
export type Message<N extends MessageName> = MessageOf<typeof messages, N>;

/** A message that was received: all is there but for messages in it, which may be null. */
export type Received<N extends MessageName> = ReceivedOf<typeof messages, N>;

/** Whether a type of a field is a message's. */
export function isMessageName(type: string): type is MessageName {
  return Object.hasOwn(messages, type);
}
