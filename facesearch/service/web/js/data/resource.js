// One answer of the service, as state of a component; loaded again after every change.
import { get } from "../api.js";
import { useEffect, useRef, useState } from "../html.js";
import { keep, recall, useChanges } from "./changes.js";

/**
 * One resource: {data, error, reload, set}. `data` is null until it is there, and stays while it is
 * loaded again, also where that fails. A null path loads nothing.
 */
export const useResource = (path, params = {}) => {
  const address = path === null ? null : `${path}?${JSON.stringify(params)}`;
  const [state, setState] = useState({ address: null, data: null, error: null });
  const latest = useRef(0);
  const reload = async () => {
    const turn = ++latest.current;
    if (path === null) return;
    try {
      const data = await get(path, params);
      keep(address, data);
      if (turn === latest.current) setState({ address, data, error: null });
    } catch (error) {
      if (turn === latest.current) setState((before) => ({ address, data: before.address === address ? before.data : null, error }));
    }
  };
  useEffect(() => {
    reload();
    return () => void latest.current++;
  }, [address]);
  useChanges(reload);
  const isCurrent = state.address === address;
  return {
    data: isCurrent ? state.data : recall(address),
    error: isCurrent ? state.error : null,
    reload,
    set: (data) => setState({ address, data, error: null }),
  };
};
