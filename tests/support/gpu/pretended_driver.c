/* NVIDIA's driver in name only: what ONNX Runtime's plugin for TensorRT for RTX has to find before it can be asked which
   cards it takes and made to compile. There is one card, whose compute capability the environment says; memory is the
   machine's own, and nothing is ever computed. One source for three libraries. */
#include <stdlib.h>
#include <string.h>

#define AGREE(name) int name(void) { return 0; }
#define REFUSE(name) int name(void) { return 100; } /* no device */

#if defined(LIBCUDA)
REFUSE(cuInit) REFUSE(cuGetProcAddress) REFUSE(cuGetProcAddress_v2) REFUSE(cuGetErrorString) REFUSE(cuStreamGetCtx)
REFUSE(cuCtxCreate_v4) REFUSE(cuCtxDestroy_v2) REFUSE(cuCtxGetCurrent) REFUSE(cuCtxPopCurrent_v2)
REFUSE(cuCtxPushCurrent_v2) REFUSE(cuCtxSetCurrent) REFUSE(cuDestroyExternalMemory) REFUSE(cuDestroyExternalSemaphore)
REFUSE(cuExternalMemoryGetMappedBuffer) REFUSE(cuImportExternalMemory) REFUSE(cuImportExternalSemaphore)
REFUSE(cuSignalExternalSemaphoresAsync) REFUSE(cuWaitExternalSemaphoresAsync)

#elif defined(LIBNVML)
REFUSE(nvmlInit_v2) REFUSE(nvmlShutdown) REFUSE(nvmlSystemGetDriverVersion)
const char *nvmlErrorString(int status) { (void)status; return "pretended"; }

#else
static char handle[64];

static int part_of_capability(int index) {
    const char *text = getenv("PRETENDED_CAPABILITY"); /* such as 8.9 */
    return atoi(index == 0 ? text : strchr(text, '.') + 1);
}

int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaDeviceGetByPCIBusId(int *device, const char *id) { (void)id; *device = 0; return 0; }
int cudaRuntimeGetVersion(int *version) { *version = 13040; return 0; }
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    *value = attribute == 75 || attribute == 76 ? part_of_capability(attribute - 75) : 0;
    return 0;
}
int cudaGetDeviceProperties(char *properties, int device) { /* of CUDA 13: the name, and the capability at 360 */
    (void)device;
    memset(properties, 0, 368);
    strcpy(properties, "NVIDIA Pretended");
    ((int *)(properties + 360))[0] = part_of_capability(0);
    ((int *)(properties + 360))[1] = part_of_capability(1);
    return 0;
}
const char *cudaGetErrorString(int status) { (void)status; return "pretended"; }
const char *cudaGetErrorName(int status) { (void)status; return "pretended"; }

int cudaMalloc(void **memory, size_t size) { *memory = malloc(size); return 0; }
int cudaMallocHost(void **memory, size_t size) { return cudaMalloc(memory, size); }
int cudaHostAlloc(void **memory, size_t size, unsigned flags) { (void)flags; return cudaMalloc(memory, size); }
int cudaMallocFromPoolAsync(void **memory, size_t size, void *pool, void *stream) {
    (void)pool, (void)stream;
    return cudaMalloc(memory, size);
}
int cudaFree(void *memory) { free(memory); return 0; }
int cudaFreeHost(void *memory) { return cudaFree(memory); }
int cudaMemPoolCreate(void **pool, const void *properties) { (void)properties; *pool = handle; return 0; }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { (void)flags; *stream = handle; return 0; }
int cudaEventCreateWithFlags(void **event, unsigned flags) { (void)flags; *event = handle; return 0; }
AGREE(cudaSetDevice) AGREE(cudaGetLastError) AGREE(cudaDeviceSynchronize) AGREE(cudaStreamDestroy)
AGREE(cudaStreamSynchronize) AGREE(cudaEventDestroy) AGREE(cudaMemPoolDestroy) AGREE(cudaMemPoolSetAttribute)
AGREE(cudaMemPoolTrimTo) AGREE(cudaFreeAsync)
REFUSE(cudaMemcpy) REFUSE(cudaMemcpyAsync) REFUSE(cudaEventRecord) REFUSE(cudaEventSynchronize)
REFUSE(cudaGraphDestroy) REFUSE(cudaGraphExecDestroy) REFUSE(cudaGraphInstantiate) REFUSE(cudaGraphLaunch)
REFUSE(cudaHostGetDevicePointer) REFUSE(cudaMemPoolGetAttribute) REFUSE(cudaPointerGetAttributes)
REFUSE(cudaStreamBeginCapture) REFUSE(cudaStreamEndCapture) REFUSE(cudaStreamWaitEvent)
#endif
