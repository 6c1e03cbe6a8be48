// Light or dark: as the system prefers, or as chosen here.
import { useState } from "./html.js";

const KEY = "facesearch-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

// A browser may refuse storage; then the choice lasts as long as the page.
const stored = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};

const store = (theme) => {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    /* the choice is not kept */
  }
};

const apply = (theme) => {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
};

/** Apply the theme chosen before; before the first view, so that nothing flashes. */
export const applyTheme = () => apply(stored() ?? "system");

/** The theme and a function that goes to the next: system, light, dark. */
export const useTheme = () => {
  const [theme, setTheme] = useState(stored() ?? "system");
  const next = () => {
    const chosen = NEXT[theme] ?? "system";
    store(chosen);
    apply(chosen);
    setTheme(chosen);
  };
  return [theme, next];
};
