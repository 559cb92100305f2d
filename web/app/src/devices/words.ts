import type { DeviceBlock } from "@conclave/client";
import { msg } from "@lingui/core/macro";
import type { Words } from "../problem";

/** Why the microphone is not on, and what to do. */
export const MICROPHONE_PROBLEMS: Readonly<Record<DeviceBlock, Words>> = {
  noPermission: {
    what: msg`The browser may not use your microphone.`,
    todo: msg`Allow it by the icon next to the address bar, then switch the microphone on again.`,
  },
  noDevice: {
    what: msg`No microphone was found.`,
    todo: msg`Plug one in, then switch the microphone on again. You can listen without one.`,
  },
  inUse: {
    what: msg`Another program is using the microphone.`,
    todo: msg`Close that program, then switch the microphone on again.`,
  },
  failed: {
    what: msg`The microphone did not start.`,
    todo: msg`Choose another one, or unplug it and plug it in again.`,
  },
};

/** Why the camera is not on, and what to do. */
export const CAMERA_PROBLEMS: Readonly<Record<DeviceBlock, Words>> = {
  noPermission: {
    what: msg`The browser may not use your camera.`,
    todo: msg`Allow it by the icon next to the address bar, then switch the camera on again.`,
  },
  noDevice: {
    what: msg`No camera was found.`,
    todo: msg`Plug one in, then switch the camera on again. You can take part without one.`,
  },
  inUse: {
    what: msg`Another program is using the camera.`,
    todo: msg`Close that program, then switch the camera on again.`,
  },
  failed: {
    what: msg`The camera did not start.`,
    todo: msg`Choose another one, or unplug it and plug it in again.`,
  },
};
