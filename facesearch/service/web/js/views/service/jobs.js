// Work in the background: start it, watch it, stop it.
import { post } from "../../api.js";
import { Empty, Failure, Heading, Loading } from "../../controls/states.js";
import { useResource } from "../../data/resource.js";
import { useEvents } from "../../events.js";
import { useGallery } from "../../gallery.js";
import { html, useState } from "../../html.js";
import { count, moment, number } from "../../text.js";
import { toastError } from "../../toasts.js";

const KINDS = {
  index: { text: "Find faces in photos", does: "Reads new and changed photos of the gallery's folders." },
  cluster: { text: "Group faces into people", does: "Puts new faces with their people. Decisions are kept." },
  report: { text: "Write the album report", does: "Pages that can be read without this service." },
  upgrade: { text: "Change the encoder" },
  calibrate: { text: "Set the stranger rate" },
  enrol: { text: "Enrol photos" },
  forget: { text: "Forget" },
};

const STATES = {
  waiting: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Stopped",
};

const START = ["index", "cluster", "report"];

const isActive = (job) => job.state === "waiting" || job.state === "running";

/** A folder of photos that the gallery does not have yet. */
const NewFolder = ({ start }) => {
  const onSubmit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const folder = new FormData(form).get("folder").trim();
    if (folder && (await start({ kind: "index", roots: [folder] }))) form.reset();
  };
  return html`
    <form class="new-folder" onSubmit=${onSubmit}>
      <label class="field">
        <span>Photos of another folder</span>
        <input name="folder" placeholder="/home/me/photos" autocomplete="off" spellcheck=${false} />
      </label>
      <button>Find faces there</button>
    </form>
  `;
};

const Starting = ({ onStarted }) => {
  const { path, can } = useGallery();
  const start = async (job) => {
    try {
      onStarted(await post(path("jobs"), job));
      return true;
    } catch (error) {
      toastError(error);
      return false;
    }
  };
  return html`
    <ul class="starting">
      ${START.map(
        (kind) => html`
          <li key=${kind}>
            <button type="button" onClick=${() => start({ kind })}>${KINDS[kind].text}</button>
            <p class="soft small">${KINDS[kind].does}</p>
          </li>
        `,
      )}
    </ul>
    ${can("administer") && html`<${NewFolder} start=${start} />`}
  `;
};

const Progress = ({ job }) => {
  const { done, total, text } = job.progress ?? {};
  return html`
    <progress
      aria-label="Progress of: ${KINDS[job.kind]?.text ?? job.kind}"
      max=${total || 1}
      value=${total ? done : null}
    />
    <p class="soft small">${text || (total ? `${number(done)} of ${number(total)}` : STATES[job.state])}</p>
  `;
};

/** What came of a job: numbers of the words that its result has. */
const resultOf = ({ result }) => {
  if (!result) return "";
  const words = [
    ["people", "person", "people"],
    ["photos", "photo"],
    ["new", "new photo"],
    ["faces", "face"],
    ["failed", "not read", "not read"],
    ["enrolled", "face"],
  ];
  return words
    .filter(([key]) => result[key])
    .map(([key, singular, plural]) => count(result[key], singular, plural ?? `${singular}s`))
    .join(", ");
};

const Outcome = ({ job }) => {
  const { path } = useGallery();
  if (job.state === "failed") {
    return html`<p class="notice" role="alert">${job.problem?.detail ?? "It failed."} ${job.problem?.action ?? ""}</p>`;
  }
  return html`
    <p class="soft small">
      ${resultOf(job)}
      ${job.kind === "report" && job.state === "done" && html` <a href="api/v1/${path("report/")}" target="_blank" rel="noreferrer">Open the report</a>`}
    </p>
  `;
};

const Job = ({ job }) => {
  const { can } = useGallery();
  const cancel = () => post(`jobs/${job.id}/cancel`).catch(toastError);
  return html`
    <li class="job" data-state=${job.state}>
      <header>
        <h3>${KINDS[job.kind]?.text ?? job.kind}</h3>
        <span class="state">${STATES[job.state]}</span>
      </header>
      <p class="soft small">
        ${moment(job.started_at ?? job.created_at)}${job.by && html`<span class="dot" />${job.by}`}
        ${job.resumed > 0 && html`<span class="dot" />resumed after a restart`}
      </p>
      ${isActive(job) ? html`<${Progress} job=${job} />` : html`<${Outcome} job=${job} />`}
      ${isActive(job) && can("administer") && html`<button type="button" onClick=${cancel}>Stop</button>`}
    </li>
  `;
};

export const JobsView = () => {
  const { id, can } = useGallery();
  const { data, error } = useResource("jobs", { gallery: id });
  const [news, setNews] = useState({});
  const note = (job) => setNews((before) => ({ ...before, [job.id]: job }));
  useEvents("job", note);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  const known = new Set(data.jobs.map((job) => job.id));
  const fresh = Object.values(news).filter((job) => !known.has(job.id) && job.gallery === id);
  const latest = (job) => (news[job.id] && isActive(job) ? news[job.id] : job);
  const jobs = [...fresh, ...data.jobs.map(latest)].sort((one, other) => other.id.localeCompare(one.id));
  return html`
    <${Heading} note="They go on when this page is closed.">Jobs<//>
    ${can("decide") && html`<${Starting} onStarted=${note} />`}
    ${jobs.length === 0 && html`<${Empty}><p>Nothing was started yet.</p><//>`}
    <ul class="jobs" aria-label="Jobs">${jobs.map((job) => html`<${Job} key=${job.id} job=${job} />`)}</ul>
  `;
};
