/** What is in ttrpc's frames. */
import { codecs } from "../protobuf/codec";
import { many, one } from "../protobuf/fields";

const messages = {
  Request: {
    service: one(1, "string"),
    method: one(2, "string"),
    payload: one(3, "bytes"),
    timeout_nano: one(4, "int64"),
    metadata: many(5, "KeyValue"),
  },
  KeyValue: { key: one(1, "string"), value: one(2, "string") },
  Response: { status: one(1, "Status"), payload: one(2, "bytes") },
  /** google.rpc.Status */
  Status: { code: one(1, "int32"), message: one(2, "string") },
} as const;

const codec = codecs(messages);

export const requests = codec("Request");
export const responses = codec("Response");
