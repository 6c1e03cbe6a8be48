// Who looks at the page, and what they may do.
import { createContext, useContext } from "./html.js";

/** What each role is for; each may do what those before it may. */
export const ROLES = {
  view: "look and search",
  decide: "also name and correct people",
  administer: "also add folders, forget people, change settings and accounts",
};

/** {user, role, required, renew}: `renew` asks the service again who somebody is. */
export const SessionContext = createContext(null);

export const useSession = () => useContext(SessionContext);

/** Whether who has `role` may do what `wanted` is for. */
export const includes = (role, wanted) => {
  const roles = Object.keys(ROLES);
  return roles.indexOf(role) >= roles.indexOf(wanted);
};
