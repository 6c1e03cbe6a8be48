// Everything of Preact that the application uses. `html` makes elements of a template; what is put
// into one is always text or an element, never markup.
import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export { createContext, render } from "../vendor/preact.js";
export {
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/hooks.js";

export const html = htm.bind(h);
