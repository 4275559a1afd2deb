// The functions of the CUDA driver that cuDNN wants to find when it is loaded, each saying that there is no device. With it
// in place of a driver cuDNN plans for devices that are only described to it.
namespace {
constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE
}

extern "C" {
int cuGetErrorName(int, const char** name) { return *name = "CUDA_ERROR_NO_DEVICE", 0; }
int cuGetErrorString(int, const char** text) { return *text = "no CUDA-capable device is detected", 0; }
int cuDriverGetVersion(int* version) { return *version = 0, 0; }
int cuDeviceGetCount(int* count) { return *count = 0, 0; }
int cuInit() { return kNoDevice; }
int cuDeviceGet() { return kNoDevice; }
int cuCtxGetCurrent() { return kNoDevice; }
int cuCtxGetLimit() { return kNoDevice; }
int cuCtxPopCurrent() { return kNoDevice; }
int cuCtxPushCurrent() { return kNoDevice; }
int cuStreamGetCtx() { return kNoDevice; }
int cuModuleLoadData() { return kNoDevice; }
int cuModuleUnload() { return kNoDevice; }
int cuModuleGetFunction() { return kNoDevice; }
int cuLibraryLoadData() { return kNoDevice; }
int cuLibraryLoadFromFile() { return kNoDevice; }
int cuLibraryGetKernel() { return kNoDevice; }
int cuLibraryUnload() { return kNoDevice; }
int cuKernelSetAttribute() { return kNoDevice; }
int cuKernelGetAttribute() { return kNoDevice; }
int cuKernelGetFunction() { return kNoDevice; }
int cuLinkCreate() { return kNoDevice; }
int cuLinkAddData() { return kNoDevice; }
int cuLinkComplete() { return kNoDevice; }
int cuLinkDestroy() { return kNoDevice; }
int cuLaunchKernel() { return kNoDevice; }
int cuLaunchKernelEx() { return kNoDevice; }
int cuLaunchCooperativeKernel() { return kNoDevice; }
int cuOccupancyMaxPotentialClusterSize() { return kNoDevice; }
int cuTensorMapEncodeTiled() { return kNoDevice; }
int cuTensorMapEncodeIm2col() { return kNoDevice; }
}
