// Where pictures come from: the camera or a file. `frame()` gives the picture on show as a Blob for the server.

const LONGEST = 1280; // pixels of a camera frame's longer side; more helps no gate
const video = document.querySelector("#video");
const still = document.querySelector("#still");
const stage = document.querySelector("#stage");

let stream = null;
let file = null;

export const running = () => stream !== null;
export const mirrored = () => stream !== null;
export const ready = () => (stream ? video.videoWidth > 0 : file !== null);

export async function startCamera(onEnd) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("The browser gives no camera to this address. Open it as localhost or over https, or choose a picture.");
  }
  const wanted = { video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false };
  stream = await navigator.mediaDevices.getUserMedia(wanted);
  stream.getVideoTracks()[0].addEventListener("ended", onEnd);
  video.srcObject = stream;
  await video.play();
  show(video, video.videoWidth, video.videoHeight);
}

export function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  video.hidden = true;
}

export async function openFile(chosen, limits) {
  stopCamera();
  const bitmap = await createImageBitmap(chosen).catch(() => null);
  // What the browser cannot show goes to the server as it is: its refusal says what is wrong.
  const large = chosen.size > limits.upload_bytes - 4096 || (bitmap && bitmap.width * bitmap.height > limits.pixels);
  file = bitmap && large ? await encode(bitmap, 2048) : chosen;
  if (still.src) URL.revokeObjectURL(still.src);
  still.removeAttribute("src");
  if (bitmap) {
    still.src = URL.createObjectURL(chosen);
    show(still, bitmap.width, bitmap.height);
    bitmap.close();
  } else {
    still.hidden = true;
  }
}

export async function frame() {
  return stream ? encode(video, LONGEST) : file;
}

function show(element, width, height) {
  video.hidden = element !== video;
  still.hidden = element !== still;
  video.classList.toggle("mirrored", element === video);
  document.querySelector("#empty").hidden = true;
  // At most 60% of the window's height, whatever the aspect.
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.width = `min(100%, ${((60 * width) / height).toFixed(2)}vh)`;
}

async function encode(image, longest) {
  const width = image.videoWidth ?? image.width;
  const height = image.videoHeight ?? image.height;
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
