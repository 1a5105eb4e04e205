# n2fnet without a window: pictures, videos and folders in, fitted heads out.
#
#   docker build -t n2fnet .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" n2fnet fit photo.jpg --out results
FROM python:3.11-slim-bookworm

# OpenCV loads libGL and GLib. Overlays are drawn by Mesa through EGL, which needs no display.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libgl1 libegl1 libegl-mesa0 libgl1-mesa-dri libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE NOTICE /source/
COPY app /source/app
COPY engine /source/engine
COPY assets /source/assets
COPY shaders /source/shaders
RUN pip install --no-cache-dir "/source[cpu]" && rm -r /source

# Any user may run it: caches go where everybody may write.
ENV HOME=/tmp
WORKDIR /data
ENTRYPOINT ["n2f"]
CMD ["--help"]
