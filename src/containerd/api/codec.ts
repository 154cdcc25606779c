import { codecs } from "../../protobuf/codec";
import { messages } from "./messages";

/** What writes and reads the messages of a kind. */
export const codec = codecs(messages);
