// Requests to the service. Addresses are relative to the page, so that a proxy may add a path.

const ROOT = new URL("api/v1/", document.baseURI);
const session = { csrf: null, onSignedOut: () => {} };

/** What went wrong, in the words of the service; `action` says what to do. */
class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The service answered ${status}.`);
    Object.assign(this, { status, code: problem.code ?? "", action: problem.action ?? "", problem });
  }
}

/** Take the token that every change must carry, and what to do when a login is needed. */
export const configure = (settings) => Object.assign(session, settings);

/** The full address of a resource, for pictures and streams. Parameters that are null are left out. */
export const address = (path, params = {}) => {
  const url = new URL(path, ROOT);
  for (const [key, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(key, each);
  }
  return url.href;
};

const problemOf = async (response) => {
  try {
    return await response.json();
  } catch {
    return {};
  }
};

const isForm = (body) => body instanceof FormData || body instanceof Blob;

const request = async (method, path, { params, body, headers = {} } = {}) => {
  const options = { method, headers: { Accept: "application/json", ...headers } };
  if (method !== "GET" && session.csrf) options.headers["X-CSRF-Token"] = session.csrf;
  if (body !== undefined) {
    options.body = isForm(body) ? body : JSON.stringify(body);
    if (!isForm(body)) options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(address(path, params), options);
  } catch {
    throw new ApiError(0, { detail: "The service does not answer. Is facesearch serve still running?" });
  }
  if (!response.ok) {
    const error = new ApiError(response.status, await problemOf(response));
    // A wrong password is no reason to ask who somebody is.
    if (error.code === "unauthenticated") session.onSignedOut();
    throw error;
  }
  return response.status === 204 ? null : response.json();
};

export const get = (path, params) => request("GET", path, { params });
export const post = (path, body = {}, options = {}) => request("POST", path, { body, ...options });
export const put = (path, body = {}, options = {}) => request("PUT", path, { body, ...options });
export const patch = (path, body) => request("PATCH", path, { body });
export const remove = (path) => request("DELETE", path);
