// What the service decides by, in words; and the look of the page.
import { post } from "../../api.js";
import { Failure, Heading, Loading } from "../../controls/states.js";
import { useResource } from "../../data/resource.js";
import { useGallery } from "../../gallery.js";
import { html, useState } from "../../html.js";
import { go } from "../../router.js";
import { useSession } from "../../session.js";
import { count } from "../../text.js";
import { useTheme } from "../../theme.js";
import { toast, toastError } from "../../toasts.js";
import { ChangePassword } from "./access_forms.js";

const RATES = [
  { rate: 0.1, text: "1 stranger in 10 gets a name", hint: "More people are recognised, and more strangers are taken for them." },
  { rate: 0.01, text: "1 stranger in 100 gets a name", hint: "A good balance for albums." },
  { rate: 0.001, text: "1 stranger in 1,000 gets a name", hint: "Names are given only where they are very sure." },
];

/** The rate of the list that is nearest to one that was learnt. */
const nearestRate = (rate) => {
  const distance = (each) => Math.abs(Math.log(each.rate / rate));
  return RATES.reduce((one, other) => (distance(other) < distance(one) ? other : one)).rate;
};

const THEMES = { system: "as the system prefers", light: "light", dark: "dark" };

/** Starts a job and goes to where its progress is shown. */
const useJob = () => {
  const { path, to } = useGallery();
  return async (job) => {
    try {
      await post(path("jobs"), job);
      go(to("jobs"));
    } catch (error) {
      toastError(error);
    }
  };
};

const StrangerRate = ({ settings }) => {
  const { can } = useGallery();
  const start = useJob();
  const [rate, setRate] = useState(nearestRate(settings.stranger_rate || 0.01));
  return html`
    <section aria-labelledby="stranger-title">
      <h2 id="stranger-title">Strangers</h2>
      <p>
        When somebody asks who is in a photo, a face near enough to a person gets that person's name. How near is learnt
        from this gallery, so that few strangers get a name. <strong>${settings.threshold.text}</strong>
      </p>
      <fieldset class="options" disabled=${!can("administer")}>
        <legend class="unseen">How many strangers may get a name</legend>
        ${RATES.map(
          (each) => html`
            <label class="check" key=${each.rate}>
              <input type="radio" name="rate" checked=${rate === each.rate} onChange=${() => setRate(each.rate)} />
              <span>${each.text}<small class="hint">${each.hint}</small></span>
            </label>
          `,
        )}
      </fieldset>
      ${can("administer") &&
      html`<button type="button" onClick=${() => start({ kind: "calibrate", fpir: rate })}>Learn it from the gallery</button>`}
    </section>
  `;
};

const Grouping = ({ settings }) => {
  const { can } = useGallery();
  const start = useJob();
  const automatic = settings.cluster?.threshold_from !== "given";
  const [isAutomatic, setAutomatic] = useState(automatic);
  const [threshold, setThreshold] = useState(settings.cluster?.threshold ?? settings.threshold.value);
  return html`
    <section aria-labelledby="grouping-title">
      <h2 id="grouping-title">Grouping</h2>
      <p>
        Faces are grouped into people by how near they are to each other: 0 is the same face, 4 the farthest there is.
        Grouping again keeps every decision.
      </p>
      <fieldset class="options" disabled=${!can("decide")}>
        <legend class="unseen">How near faces of one person must be</legend>
        <label class="check">
          <input type="radio" name="grouping" checked=${isAutomatic} onChange=${() => setAutomatic(true)} />
          <span>Learn it from the gallery<small class="hint">Closer for single faces, farther for people with many photos.</small></span>
        </label>
        <label class="check">
          <input type="radio" name="grouping" checked=${!isAutomatic} onChange=${() => setAutomatic(false)} />
          <span>Always at this distance<small class="hint">Lower: fewer strangers together. Higher: fewer people twice.</small></span>
        </label>
        ${!isAutomatic &&
        html`
          <label class="slider">
            <span>Distance ${Number(threshold).toFixed(2)}</span>
            <input type="range" min="0.05" max="2" step="0.01" value=${threshold} onInput=${(event) => setThreshold(Number(event.target.value))} />
          </label>
        `}
      </fieldset>
      ${can("decide") &&
      html`
        <button type="button" onClick=${() => start({ kind: "cluster", options: { threshold: isAutomatic ? null : threshold } })}>
          Group again
        </button>
      `}
    </section>
  `;
};

const Look = () => {
  const [theme, next] = useTheme();
  return html`
    <section aria-labelledby="look-title">
      <h2 id="look-title">Look</h2>
      <p>Colours: ${THEMES[theme]}.</p>
      <button type="button" onClick=${next}>Change the colours</button>
    </section>
  `;
};

const Password = () => {
  const { user, renew } = useSession();
  if (!user) return null;
  const change = async (passwords) => {
    try {
      await post("auth/password", passwords);
      // This is a new session.
      await renew();
      toast({ text: "The password is changed. Everywhere else you are logged out." });
      return true;
    } catch (error) {
      toastError(error);
      return false;
    }
  };
  return html`
    <section aria-labelledby="password-title">
      <h2 id="password-title">Your password</h2>
      <p>You are logged in as <bdi>${user.name}</bdi>, with the role ${user.role}.</p>
      <${ChangePassword} onChange=${change} />
    </section>
  `;
};

const About = () => {
  const { info } = useGallery();
  if (!info) return null;
  return html`
    <section aria-labelledby="about-title">
      <h2 id="about-title">This gallery</h2>
      <dl class="facts-list">
        <div><dt>Encoder</dt><dd>${info.encoder}</dd></div>
        ${info.roots?.length > 0 && html`<div><dt>Folders of photos</dt><dd>${info.roots.join(", ")}</dd></div>`}
        <div><dt>Without faces</dt><dd>${count(info.photos_without_faces, "photo")}</dd></div>
      </dl>
    </section>
  `;
};

export const SettingsView = () => {
  const { path } = useGallery();
  const { data, error } = useResource(path("settings"));
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  return html`
    <${Heading}>Settings<//>
    <div class="settings">
      <${StrangerRate} settings=${data} />
      <${Grouping} settings=${data} />
      <${Look} />
      <${Password} />
      <${About} />
    </div>
  `;
};
