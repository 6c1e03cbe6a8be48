// Who goes back finds the page where it was; who goes on begins at its top.
import { useLayoutEffect } from "./html.js";

const PAUSE = 100;

let timer = null;

const note = () => {
  clearTimeout(timer);
  timer = setTimeout(() => history.replaceState({ scroll: scrollY }, ""), PAUSE);
};

/** Keep the place in each page of the browser's history; `address` names the page. */
export const useScroll = (address) => {
  useLayoutEffect(() => {
    history.scrollRestoration = "manual";
    addEventListener("scroll", note, { passive: true });
    return () => removeEventListener("scroll", note);
  }, []);
  useLayoutEffect(() => {
    clearTimeout(timer);
    scrollTo(0, history.state?.scroll ?? 0);
  }, [address]);
};
