import { type JSX, useLayoutEffect, useRef } from "react";

export interface PictureProps {
  readonly stream: MediaStream;
  readonly className: string;
  /** What it shows, for those who do not see it. */
  readonly label: string;
}

/** A moving picture. Its sound, if any, is played elsewhere. */
export function Picture({ stream, className, label }: PictureProps): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  useLayoutEffect(() => {
    const element = video.current;
    if (element === null) return undefined;
    // React sets `muted` as a property only; autoplay rules look at it before the first frame.
    element.muted = true;
    element.srcObject = stream;
    // Rejected when the stream is exchanged before it plays: the next one then plays.
    element.play().catch(() => undefined);
    return () => {
      element.srcObject = null;
    };
  }, [stream]);
  return (
    <video
      ref={video}
      className={className}
      aria-label={label}
      autoPlay
      muted
      playsInline
      disablePictureInPicture
    />
  );
}
