// The gallery that is shown, who looks at it, and what they may do.
import { address } from "./api.js";
import { createContext, useContext } from "./html.js";
import { link } from "./router.js";
import { includes } from "./session.js";

export const GalleryContext = createContext(null);

/**
 * What views need to know of a gallery. `info` is the service's summary of it, null at first;
 * `noteUndo` takes what an undo would take back, as soon as it is known.
 */
export const galleryContext = (id, info, role, noteUndo) => ({
  id,
  info,
  noteUndo,
  path: (rest = "") => `galleries/${encodeURIComponent(id)}${rest && `/${rest}`}`,
  to: (view, item = "", query = {}) => link(id, view, item, query),
  crop: (face, size = 160) => address(`galleries/${encodeURIComponent(id)}/faces/${face}/crop`, { size }),
  thumbnail: (photo, size = 640, face = null) =>
    address(`galleries/${encodeURIComponent(id)}/photos/${photo}/thumbnail`, { size, face }),
  original: (photo) => address(`galleries/${encodeURIComponent(id)}/photos/${photo}/original`),
  can: (wanted) => includes(role, wanted),
});

export const useGallery = () => useContext(GalleryContext);
