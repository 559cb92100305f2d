import type { CameraCodec, CreateMeeting, MeetingInfo, ServerInfo } from "@conclave/wire";

import { fromBase64Url } from "./base64url";
import { type MeetingMode, writeConstitution } from "./constitution";
import { deviceHostKeys, drawHostSeed, type HostKeys } from "./hostKeys";
import {
  deriveKeys,
  drawMeetingId,
  formatHostLink,
  type LinkKeys,
  type MeetingLink,
  makeLink,
  OpenError,
  openTitle,
  policyDigest,
  sealTitle,
} from "./link";

/** Why a request about a meeting failed. */
export type MeetingFault =
  /** The server shuts down or is overloaded; it may work in a moment. */
  | "busy"
  /** The server did not understand: client and server do not fit. */
  | "incompatible"
  /** The policy on the server is not the one that the link names: somebody changed it. */
  | "policyMismatch"
  /** Too many requests from here. */
  | "rateLimited"
  /** The server failed. */
  | "server"
  /** No such meeting, or the link's token is not the meeting's. */
  | "unknownMeeting"
  /** No answer: no network, or no server. */
  | "unreachable";

/** A request about a meeting failed. `detail` is English, for a log; it has no names or secrets. */
export class MeetingError extends Error {
  override readonly name = "MeetingError";

  constructor(
    readonly fault: MeetingFault,
    readonly detail: string,
  ) {
    super(`${fault}: ${detail}`);
  }
}

/** A meeting as its link holder sees it. */
export interface Meeting {
  /** Empty if it has none, or if it could not be opened. */
  readonly title: string;
  /** How many are in the call now. */
  readonly participants: number;
  /** The constitution's text: the one whose digest is in the link. */
  readonly constitution: string;
  /** What the server wants cameras to be sent in. */
  readonly cameraCodec: CameraCodec;
}

/** How a meeting is to be. */
export interface MeetingChoice {
  /** Empty for none. */
  readonly title: string;
  readonly mode: MeetingMode;
  /** Whether the call may begin without a host. */
  readonly joinBeforeHost: boolean;
}

/** A meeting just created. */
export interface CreatedMeeting {
  readonly link: MeetingLink;
  /**
   * The link that makes a host of whoever opens it, as text: for another device of the creator's.
   * It is nowhere else: this device keeps the key alone, which cannot be read.
   */
  readonly hostLink: string;
}

/**
 * Creates a meeting; its id, secret and host key are made here. This device is a host of it.
 * @throws {MeetingError}
 */
export async function createMeeting(
  origin: string,
  { title = "", mode = "lobby", joinBeforeHost = false }: Partial<MeetingChoice> = {},
  hostKeys: HostKeys = deviceHostKeys,
): Promise<CreatedMeeting> {
  const { nodeKey, jurisdiction } = await fetchServer(origin);
  const id = drawMeetingId();
  const seed = drawHostSeed();
  const hostKey = await hostKeys.adopt(id, seed);
  const jurisdictions = jurisdiction === null ? [] : [jurisdiction];
  const founding = { meeting: id, mode, joinBeforeHost, hostKey, nodeKey, jurisdictions };
  const policy = writeConstitution(founding);
  const link = await makeLink(origin, id, policy);
  const keys = await deriveKeys(link);
  const body: CreateMeeting = {
    id,
    tokenHash: keys.tokenHash,
    sealedTitle: await sealTitle(keys.meta, title),
    policy,
  };
  await request(`${origin}/api/v1/meetings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await hostKeys.find(id, hostKey);
  const hostLink = formatHostLink(link, seed);
  seed.fill(0);
  return { link, hostLink };
}

/** Where a new meeting's media would go: whose word its constitution will name. */
async function fetchServer(origin: string): Promise<Pick<ServerInfo, "nodeKey" | "jurisdiction">> {
  const response = await request(`${origin}/api/v1/server`, {});
  const info: unknown = await response.json().catch(() => undefined);
  if (typeof info === "object" && info !== null) {
    const { nodeKey, jurisdiction } = info as Partial<Record<keyof ServerInfo, unknown>>;
    const isPlace =
      jurisdiction === null ||
      (typeof jurisdiction === "string" && /^[A-Z]{2}$/.test(jurisdiction));
    if (typeof nodeKey === "string" && fromBase64Url(nodeKey)?.length === 32 && isPlace) {
      return { nodeKey, jurisdiction };
    }
  }
  throw new MeetingError("incompatible", "the answer is not a server's");
}

/**
 * Asks for a meeting and checks that its policy is the one that the link names.
 * @throws {MeetingError}
 */
export async function fetchMeeting(link: MeetingLink, keys?: LinkKeys): Promise<Meeting> {
  const { token, meta } = keys ?? (await deriveKeys(link));
  const response = await request(`${link.origin}/api/v1/meetings/${link.id}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const info = await readInfo(response);
  if ((await policyDigest(info.policy)) !== link.policyDigest) {
    throw new MeetingError("policyMismatch", "the digest of the policy is not the link's");
  }
  return {
    title: await readTitle(meta, info),
    participants: info.participants,
    constitution: info.policy,
    // What a server of another version wants, if anything, is what every browser has.
    cameraCodec: CAMERA_CODECS.find((codec) => codec === info.cameraCodec) ?? "vp8",
  };
}

async function readInfo(response: Response): Promise<UncheckedInfo> {
  const info: unknown = await response.json().catch(() => undefined);
  if (!isMeetingInfo(info)) {
    throw new MeetingError("incompatible", "the answer is not a meeting's");
  }
  return info;
}

const CAMERA_CODECS: readonly CameraCodec[] = ["auto", "vp8", "vp9"];

type UncheckedInfo = Omit<MeetingInfo, "cameraCodec"> & { readonly cameraCodec?: unknown };

function isMeetingInfo(value: unknown): value is UncheckedInfo {
  if (typeof value !== "object" || value === null) return false;
  const { sealedTitle, policy, participants } = value as Partial<
    Record<keyof MeetingInfo, unknown>
  >;
  return (
    typeof sealedTitle === "string" &&
    typeof policy === "string" &&
    typeof participants === "number"
  );
}

async function readTitle(meta: CryptoKey, info: UncheckedInfo): Promise<string> {
  try {
    return await openTitle(meta, info.sealedTitle);
  } catch (error) {
    // Its creator's client may have sealed something odd. A meeting without a title works.
    if (error instanceof OpenError) return "";
    throw error;
  }
}

/** A browser drops what is under way when an interface comes or goes; a moment later it works. */
const ASK_AGAIN_MS = 500;

async function request(url: string, init: RequestInit): Promise<Response> {
  const send = (): Promise<Response> =>
    fetch(url, { ...init, cache: "no-store", credentials: "omit" });
  let response: Response;
  try {
    response = await send().catch(async (error: unknown) => {
      // What changes something is not sent twice: the first may have arrived.
      if ((init.method ?? "GET") !== "GET") throw error;
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      return send();
    });
  } catch {
    throw new MeetingError("unreachable", "no answer");
  }
  if (!response.ok) throw new MeetingError(faultOf(response.status), await problemOf(response));
  return response;
}

function faultOf(status: number): MeetingFault {
  if (status === 401 || status === 403 || status === 404) return "unknownMeeting";
  if (status === 429) return "rateLimited";
  // A proxy without its server answers these two.
  if (status === 502 || status === 504) return "unreachable";
  if (status === 503) return "busy";
  return status >= 500 ? "server" : "incompatible";
}

/** The title of an RFC 9457 problem, or the bare status. */
async function problemOf(response: Response): Promise<string> {
  const problem: unknown = await response.json().catch(() => undefined);
  if (typeof problem === "object" && problem !== null && "title" in problem) {
    return `${response.status} ${String(problem.title)}`;
  }
  return String(response.status);
}
