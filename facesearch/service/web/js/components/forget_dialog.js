// Deleting a person's faces for good, after saying what will be deleted.
import { post } from "../api.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useState } from "../html.js";
import { go } from "../router.js";
import { count } from "../text.js";
import { toast, toastError } from "../toasts.js";
import { Dialog } from "../controls/dialog.js";

/** What would be deleted: {data, error}, and how to look again. */
const usePreview = (person) => {
  const { path } = useGallery();
  const [preview, setPreview] = useState({});
  const look = () =>
    post(path("forget"), { people: [person.id], dry_run: true }).then(
      (data) => setPreview({ data }),
      (error) => setPreview({ error }),
    );
  useEffect(() => void look(), [person.id]);
  return [preview, look];
};

const Deleted = ({ data }) => html`
  <ul class="bullets">
    <li>${count(data.faces, "face")}: where each is, and the vector that stands for it</li>
    ${data.decided > 0 && html`<li>decisions about ${count(data.decided, "face")}, and the name if no other face has it</li>`}
    ${data.clustered > 0 && html`<li>${count(data.clustered, "face")} in saved groups of faces</li>`}
    <li>the index, the report and its pictures, as far as these faces are in them</li>
  </ul>
`;

export const ForgetDialog = ({ person, onClose }) => {
  const { path, to } = useGallery();
  const [{ data, error }, lookAgain] = usePreview(person);
  const [isSure, setSure] = useState(false);
  const forget = async () => {
    try {
      // Just what is shown here, or nothing.
      await post(path("forget"), { people: [person.id], dry_run: false, digest: data.digest });
      toast({ text: `${person.label} is being forgotten.` });
      onClose();
      go(to("people"), { replace: true });
    } catch (problem) {
      toastError(problem);
      setSure(false);
      lookAgain();
    }
  };
  return html`
    <${Dialog} title="Forget ${person.label}" onClose=${onClose}>
      <p>The photos stay as they are. From this gallery will be deleted, for good:</p>
      ${error && html`<p class="notice" role="alert">${error.message} ${error.action}</p>`}
      ${data && html`<${Deleted} data=${data} />`}
      <p class="soft small">The faces are not found again when the photos are indexed again. This cannot be undone here.</p>
      <label class="check">
        <input type="checkbox" checked=${isSure} onChange=${(event) => setSure(event.target.checked)} />
        I want to delete this
      </label>
      <div class="actions">
        <button type="button" class="primary" disabled=${!isSure || !data} onClick=${forget}>Forget ${person.label}</button>
        <button type="button" onClick=${onClose}>Keep</button>
      </div>
    <//>
  `;
};
