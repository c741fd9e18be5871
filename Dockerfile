# The suite's programs without their windows. Used by docker-compose.yml's profile `suite`.
FROM debian:12-slim AS build
WORKDIR /src
COPY cmake/packages.txt cmake/
# One list of packages for every machine: the first alternative of each line of the group.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      $(awk '$1 == "build" { split($2, names, "|"); print names[1] }' cmake/packages.txt)
COPY . .
RUN cmake --preset release -DEV_GUI=OFF -DEV_TESTS=OFF && cmake --build build/release

FROM debian:12-slim
COPY cmake/packages.txt /tmp/
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      $(awk '$1 == "image" { split($2, names, "|"); print names[1] }' /tmp/packages.txt) \
    && rm -rf /var/lib/apt/lists/* /tmp/packages.txt
COPY --from=build /src/build/release/bin/ /usr/local/bin/
COPY --from=build /src/tools/container/ /usr/local/bin/
COPY --from=build /src/web/ /usr/share/evnet/web/
COPY --from=build /src/services/ /usr/share/evnet/services/
# Named volumes take over owner and mode of what is here.
RUN useradd --system --uid 10001 --home-dir /state --shell /usr/sbin/nologin evnet \
    && install -d -m 0700 -o evnet -g evnet /state /invitations /pairing
USER evnet
WORKDIR /state
ENTRYPOINT ["/usr/local/bin/run-invited"]
CMD ["ev_central", "--help"]
