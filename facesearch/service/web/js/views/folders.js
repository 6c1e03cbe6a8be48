// The folders that photos are in.
import { Icon } from "../controls/icon.js";
import { PhotoGrid } from "../components/photo_grid.js";
import { Empty, Failure, Heading, Loading } from "../controls/states.js";
import { useLongList } from "../data/long_list.js";
import { useResource } from "../data/resource.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { count } from "../text.js";

/** "2019/summer" as links to "2019" and to itself. */
const Trail = ({ folder }) => {
  const { to } = useGallery();
  const parts = folder ? folder.split("/") : [];
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  return html`
    <nav class="trail" aria-label="Folders above">
      <ol>
        <li><a href=${to("folders")}>All folders</a></li>
        ${paths.map(
          (path, index) => html`
            <li key=${path}>
              <a href=${to("folders", path)} aria-current=${index === parts.length - 1 ? "page" : null}><bdi>${parts[index]}</bdi></a>
            </li>
          `,
        )}
      </ol>
    </nav>
  `;
};

const FolderTile = ({ folder }) => {
  const { to } = useGallery();
  return html`
    <a class="folder" href=${to("folders", folder.path)}>
      <${Icon} name="folder" />
      <span><bdi>${folder.name}</bdi><small class="soft">${count(folder.photos, "photo")}</small></span>
    </a>
  `;
};

const PhotosHere = ({ folder }) => {
  const { path } = useGallery();
  const params = { folder, order: "name" };
  const list = useLongList(path("photos"), "photos", params);
  return html`<${PhotoGrid} label="Photos in ${folder || "all folders"}" list=${list} params=${params} />`;
};

export const FoldersView = ({ id }) => {
  const { path } = useGallery();
  const { data, error } = useResource(path("folders"), { under: id });
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  return html`
    <${Heading}><bdi>${id ? id.split("/").at(-1) : "Folders"}</bdi><//>
    ${id && html`<${Trail} folder=${id} />`}
    <ul class="folders">
      ${data.folders.map((folder) => html`<li key=${folder.path}><${FolderTile} folder=${folder} /></li>`)}
    </ul>
    ${data.folders.length === 0 && data.photos === 0 && html`<${Empty}><p>No photos yet.</p><//>`}
    ${(id || data.photos > 0) && html`<${PhotosHere} folder=${id} />`}
  `;
};
