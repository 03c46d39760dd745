// Talks to /v1/. An answer that is no success becomes a Refusal with the server's own words.

let token = "";

export class Refusal extends Error {
  constructor(status, { code, message, advice = "", retry_after = null }) {
    super(message);
    Object.assign(this, { status, code, advice, retryAfter: retry_after });
  }
}

export function setToken(value) {
  token = value;
}

async function call(method, path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { method, body, headers });
  } catch {
    throw new Refusal(0, { code: "unreachable", message: "The server does not answer.", advice: "Is it still running?" });
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) {
    throw new Refusal(response.status, answer?.error ?? { code: "unknown", message: `The server answered ${response.status}.` });
  }
  return answer;
}

function form(fields, images) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  images.forEach((image, index) => data.append("image", image, `picture-${index + 1}`));
  return data;
}

export const models = () => call("GET", "/v1/models");
export const detect = (image) => call("POST", "/v1/detect", form({}, [image]));
export const verify = (name, image) => call("POST", "/v1/verify", form({ name }, [image]));
export const identify = (image) => call("POST", "/v1/identify", form({}, [image]));
export const enrol = (name, images) => call("POST", "/v1/enrol", form({ name, consent: "yes" }, images));
export const forget = (name) => call("DELETE", `/v1/templates/${encodeURIComponent(name)}`);
