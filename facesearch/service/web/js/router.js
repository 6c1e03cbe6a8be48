// Addresses of views: "#/g/album/person/p12?order=time" is the view "person" of the gallery "album".
import { useEffect, useState } from "./html.js";

const FIRST_VIEW = "people";

const parse = (hash) => {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map(decodeURIComponent);
  const [gallery, view, ...rest] = parts[0] === "g" ? parts.slice(1) : [null, parts[0]];
  return {
    gallery: gallery || null,
    view: view || FIRST_VIEW,
    id: rest.join("/"),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
};

/** The address of a view. Values of `query` that are null or "" are left out. */
export const link = (gallery, view = FIRST_VIEW, id = "", query = {}) => {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== "");
  const path = ["g", gallery, view, ...(id === "" ? [] : [id])].map(encodeURIComponent).join("/");
  const search = new URLSearchParams(kept).toString();
  return `#/${path}${search ? `?${search}` : ""}`;
};

/** Go to an address; `replace` leaves no step in the browser's history. */
export const go = (address, { replace = false } = {}) => {
  if (replace) location.replace(address);
  else location.hash = address;
};

/** The address shown now: {gallery, view, id, query}. */
export const useRoute = () => {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parse(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
};
