import { Application } from "./app.js";
import { html, render } from "./html.js";
import { applyTheme } from "./theme.js";

applyTheme();
render(html`<${Application} />`, document.getElementById("application"));
