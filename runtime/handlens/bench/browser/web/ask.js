// What the page says to handlens, and hears.

const KEY = "handlens-session";
let session = sessionStorage.getItem(KEY);

/** An answer that refuses, in the words of handlens. */
export class Refused extends Error {}

/** Nobody answers: handlens has ended, the network is gone, or the page is being left. */
export class Lost extends Error {}

/** Whether this tab has a session already, from before it was loaded again. */
export const known = () => session !== null;

/** Trades the token of the address for a session; a token works once. */
export async function claim(token, facts) {
  const answer = await post("claim", { token, ...facts });
  session = answer.session;
  sessionStorage.setItem(KEY, session);
}

/** Forgets the session: there is nothing more to do with it. */
export function forget() {
  sessionStorage.removeItem(KEY);
}

export async function post(what, body, options = {}) {
  const headers = { "Content-Type": "application/json", ...authorization() };
  return (await ask(what, { method: "POST", headers, body: JSON.stringify(body), ...options })).json();
}

export async function get(what) {
  return (await ask(what, { headers: authorization() })).json();
}

export async function bytes(what) {
  return (await ask(what, { headers: authorization() })).arrayBuffer();
}

/** Bytes of a typed array, as base64. */
export function packed(array) {
  const raw = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let at = 0; at < raw.length; at += 8192) text += String.fromCharCode(...raw.subarray(at, at + 8192));
  return btoa(text);
}

function authorization() {
  return session ? { Authorization: `Bearer ${session}` } : {};
}

async function ask(what, options) {
  let reply;
  try {
    reply = await fetch(`/api/${what}`, options);
  } catch (error) {
    throw new Lost(error.message);
  }
  if (reply.ok) return reply;
  let message = `handlens answered ${reply.status}`;
  try {
    message = (await reply.json()).message;
  } catch {
    // not one of handlens's own answers
  }
  throw new Refused(message);
}
